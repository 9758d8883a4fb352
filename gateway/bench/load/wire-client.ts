import { connect, type Socket } from 'node:net';

/**
 * A Socket.IO client on a bare TCP socket: it writes the WebSocket frames itself and looks only at what
 * it must, so that one process holds thousands of sessions and is never what limits a measurement.
 */

export interface Listener {
  /**
   * @param packet a Socket.IO packet without the `4` that Engine.IO puts before it: `2["event",…]`; its
   *   bytes are others when the call is over
   */
  (packet: Buffer, client: WireClient): void;
}

const PING = 0x32; // Engine.IO `2`
const MESSAGE = 0x34; // Engine.IO `4`
const OPEN = 0x30; // Engine.IO `0`
const TEXT = 0x1;

// What a browser sends: a server that keeps the request keeps these.
const HEADERS = [
  'Connection: Upgrade',
  'Pragma: no-cache',
  'Cache-Control: no-cache',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36',
  'Upgrade: websocket',
  'Origin: http://bench.test',
  'Sec-WebSocket-Version: 13',
  'Accept-Encoding: gzip, deflate, br',
  'Accept-Language: en-US,en;q=0.9',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits',
].join('\r\n');

/** What is read goes here and is done with before the next read, whoever's it is. */
const buffer = Buffer.allocUnsafe(64 * 1024);

export class WireClient {
  onPacket: Listener;
  /** In place of `onPacket`, and cheaper: how many packets have come, all of one read together. */
  onCount: ((packets: number) => void) | undefined;
  private readonly socket: Socket;
  private readonly connect: string;
  private readonly failed: (error: Error) => void;
  private rest: Buffer | undefined;
  private upgraded = false;

  /**
   * @param auth what the server is told at connect, such as `{token}`
   * @param failed called once when the connection ends, unless it was ended by `end`
   */
  constructor(
    url: URL,
    auth: object,
    onPacket: Listener,
    failed: (error: Error) => void,
    namespace = '/',
  ) {
    this.connect = `0${namespace === '/' ? '' : `${namespace},`}${JSON.stringify(auth)}`;
    this.onPacket = onPacket;
    this.failed = failed;
    this.socket = connect({
      host: url.hostname,
      port: Number(url.port),
      noDelay: true,
      onread: {
        buffer,
        callback: (bytes) => {
          this.read(buffer.subarray(0, bytes));
          return true;
        },
      },
    });
    // Or the end would not be noticed.
    this.socket.resume();
    this.socket.on('error', (error) => failed(error));
    this.socket.on('close', () => failed(new Error('the server closed a connection')));
    this.socket.write(
      `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${url.host}\r\n${HEADERS}\r\n\r\n`,
    );
  }

  /** Sends a Socket.IO packet such as `21["ping"]`. */
  send(packet: string): void {
    this.socket.write(frame(`4${packet}`));
  }

  /** Ends the connection with a reset: thousands of closed ports must not wait in TIME_WAIT. */
  end(): void {
    this.socket.removeAllListeners();
    this.socket.on('error', () => undefined);
    this.socket.resetAndDestroy();
  }

  private read(chunk: Buffer): void {
    let data = this.rest ? Buffer.concat([this.rest, chunk]) : chunk;
    this.rest = undefined;
    if (!this.upgraded) {
      const end = data.indexOf('\r\n\r\n');
      if (end < 0) {
        this.rest = Buffer.from(data);
        return;
      }
      const status = data.toString('latin1', 0, data.indexOf('\r\n'));
      if (!status.includes(' 101 ')) {
        this.failed(new Error(`the server answered ${status}`));
        return;
      }
      this.upgraded = true;
      data = data.subarray(end + 4);
    }
    let at = 0;
    let packets = 0;
    while (data.length - at >= 2) {
      const short = data[at + 1]! & 0x7f;
      const header = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (data.length - at < header) break;
      const length =
        short < 126
          ? short
          : short === 126
            ? data.readUInt16BE(at + 2)
            : Number(data.readBigUInt64BE(at + 2));
      if (data.length - at - header < length) break;
      if ((data[at]! & 0xf) === TEXT) {
        const type = data[at + header];
        if (type !== MESSAGE) this.control(type);
        else if (this.onCount) packets++;
        else this.onPacket(data.subarray(at + header + 1, at + header + length), this);
      }
      at += header + length;
    }
    if (at < data.length) this.rest = Buffer.from(data.subarray(at));
    if (packets > 0) this.onCount?.(packets);
  }

  private control(type: number | undefined): void {
    if (type === PING) this.socket.write(frame('3'));
    else if (type === OPEN) this.send(this.connect);
  }
}

/** A text frame. A client must mask; the mask of zeros leaves the payload as it is. */
function frame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const header = length < 126 ? 2 : 4;
  const bytes = Buffer.alloc(header + 4 + length);
  bytes[0] = 0x80 | TEXT;
  if (header === 2) bytes[1] = 0x80 | length;
  else {
    bytes[1] = 0x80 | 126;
    bytes.writeUInt16BE(length, 2);
  }
  bytes.write(text, header + 4);
  return bytes;
}
