import { createRequire } from 'node:module';

/**
 * Socket.IO's own parser, as Socket.IO loads it: the package has a second copy for `import`, whose
 * classes are others.
 */
const parser = createRequire(import.meta.url)(
  'socket.io-parser',
) as typeof import('socket.io-parser');

export const { Encoder, Decoder, PacketType } = parser;
