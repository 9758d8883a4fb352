import type { Socket } from 'node:net';
import { JsonSocket } from '@nestjs/microservices/helpers/json-socket.js';

/** What Node reads from a socket at once, at most: the framing counts all that lies there. */
const CHUNK = 64 * 1024;
/** A peer that takes no answers for so many bytes is cut off. */
const UNREAD_MAX = 8 * 1024 * 1024;

/**
 * Nest's framing of a connection (`<length>#<JSON>`) with our limits: a message up to twice the limit
 * can still be answered, one that is larger ends the connection.
 */
export class LimitedSocket extends JsonSocket {
  /** Size of the message that is being handed over. */
  messageBytes = 0;

  /**
   * @param maxBytes largest message
   * @param tooLarge gets the text of one that is larger
   */
  constructor(
    socket: Socket,
    private readonly maxBytes: number,
    private readonly tooLarge: (socket: LimitedSocket, text: string) => void,
  ) {
    super(socket, { maxBufferSize: 2 * maxBytes + CHUNK, maxSendBufferSize: UNREAD_MAX });
  }

  /** What is framed wrong, or is not JSON: Nest would go on reading until the peer has closed too. */
  protected override handleDataError(error: Error): void {
    super.handleDataError(error, { destroy: true });
  }

  protected override emitMessage(text: string): void {
    this.messageBytes = Buffer.byteLength(text);
    if (this.messageBytes > this.maxBytes) this.tooLarge(this, text);
    else super.emitMessage(text);
  }
}
