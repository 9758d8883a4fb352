/** Socket.IO protocol 5: packets as text frames, binary values as frames behind them. */

export const CONNECT = 0;
export const DISCONNECT = 1;
export const EVENT = 2;
export const ACK = 3;
export const CONNECT_ERROR = 4;
const BINARY_EVENT = 5;
const BINARY_ACK = 6;

/** Names that no event may have. */
export const RESERVED: ReadonlySet<unknown> = new Set([
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'newListener',
  'removeListener',
]);

/** A frame of the transport: text, or bytes. */
export type Frame = string | ArrayBuffer;

/** A packet of one namespace. `data` of an EVENT begins with its name. */
export interface Packet {
  type: number;
  nsp: string;
  data?: unknown;
  /** Of an EVENT that wants an ACK, and of that ACK. */
  id?: number;
}

/** More attachments than this are refused, as socket.io-parser does. */
const MAX_ATTACHMENTS = 10;

/** The frames of a packet: its text, then one frame for each binary value in it. */
export function encode(packet: Packet): Frame[] {
  const binary = (packet.type === EVENT || packet.type === ACK) && hasBinary(packet.data);
  const buffers: ArrayBuffer[] = [];
  const data = binary ? takeOut(packet.data, buffers) : packet.data;
  // A binary type is 3 more than the plain one, and says how many frames follow.
  let text = binary ? `${packet.type + 3}${buffers.length}-` : `${packet.type}`;
  if (packet.nsp !== '/') text += `${packet.nsp},`;
  if (packet.id !== undefined) text += packet.id;
  if (data !== undefined && data !== null) text += JSON.stringify(data);
  return binary ? [text, ...buffers] : [text];
}

/** A packet whose bytes are not all there. */
export interface Partial {
  packet: Packet;
  missing: number;
  buffers: ArrayBuffer[];
}

/**
 * Reads the next frame of a connection, of whose packet frames before it may have been a part.
 * Throws an Error on what is no Socket.IO.
 */
export function decode(frame: Frame, partial: Partial | undefined): Packet | Partial {
  if (typeof frame === 'string') {
    if (partial) throw new Error('got plaintext data when reconstructing a packet');
    return parse(frame);
  }
  if (!partial) throw new Error('got binary data when not reconstructing a packet');
  const { packet, buffers } = partial;
  buffers.push(frame);
  if (--partial.missing > 0) return partial;
  packet.data = putBack(packet.data, buffers);
  return packet;
}

function parse(text: string): Packet | Partial {
  let type = text.charCodeAt(0) - 48;
  if (!(type >= CONNECT && type <= BINARY_ACK)) throw new Error(`unknown packet type ${text[0]}`);
  let at = 1;
  let attachments = 0;
  if (type === BINARY_EVENT || type === BINARY_ACK) {
    const dash = text.indexOf('-');
    attachments = Number(text.slice(1, dash));
    if (dash < 2 || !Number.isInteger(attachments) || attachments < 1) {
      throw new Error('Illegal attachments');
    }
    if (attachments > MAX_ATTACHMENTS) throw new Error('too many attachments');
    type -= 3;
    at = dash + 1;
  }
  const packet: Packet = { type, nsp: '/' };
  if (text[at] === '/') {
    const comma = text.indexOf(',', at);
    const end = comma === -1 ? text.length : comma;
    packet.nsp = text.slice(at, end);
    at = end + 1;
  }
  const start = at;
  while (isDigit(text.charCodeAt(at))) at++;
  if (at > start) packet.id = Number(text.slice(start, at));
  if (at < text.length) packet.data = JSON.parse(text.slice(at));
  if (!isValid(packet)) throw new Error('invalid payload');
  return attachments === 0 ? packet : { packet, missing: attachments, buffers: [] };
}

function isValid({ type, data }: Packet): boolean {
  switch (type) {
    case CONNECT:
      return data === undefined || isObject(data);
    case DISCONNECT:
      return data === undefined;
    case CONNECT_ERROR:
      return typeof data === 'string' || isObject(data);
    case EVENT:
      if (!Array.isArray(data) || RESERVED.has(data[0])) return false;
      return typeof data[0] === 'string' || typeof data[0] === 'number';
    default:
      return Array.isArray(data);
  }
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isBinary = (value: unknown): value is ArrayBuffer | ArrayBufferView =>
  value instanceof ArrayBuffer || ArrayBuffer.isView(value);

function hasBinary(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (isBinary(value)) return true;
  return Object.values(plain(value)).some(hasBinary);
}

function takeOut(value: unknown, buffers: ArrayBuffer[]): unknown {
  if (isBinary(value)) {
    buffers.push(bytes(value));
    return { _placeholder: true, num: buffers.length - 1 };
  }
  if (typeof value !== 'object' || value === null) return value;
  const from = plain(value);
  if (Array.isArray(from)) return from.map((item) => takeOut(item, buffers));
  return Object.fromEntries(Object.entries(from).map(([key, of]) => [key, takeOut(of, buffers)]));
}

/** What JSON.stringify would make text of. */
function plain(value: object): object {
  return 'toJSON' in value && typeof value.toJSON === 'function' ? Object(value.toJSON()) : value;
}

function putBack(value: unknown, buffers: ArrayBuffer[]): unknown {
  if (Array.isArray(value)) return value.map((item) => putBack(item, buffers));
  if (!isObject(value)) return value;
  if (value['_placeholder'] === true) {
    const buffer = buffers[Number(value['num'])];
    if (!buffer) throw new Error('illegal attachments');
    return buffer;
  }
  for (const key of Object.keys(value)) value[key] = putBack(value[key], buffers);
  return value;
}

/** The bytes of a view alone, whatever else its buffer holds. */
function bytes(value: ArrayBuffer | ArrayBufferView): ArrayBuffer {
  if (value instanceof ArrayBuffer) return value;
  const { buffer, byteOffset, byteLength } = value;
  return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}
