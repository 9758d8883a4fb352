import { type AddressInfo, BlockList, type Server, type Socket } from 'node:net';
import type { TcpSocket } from '@nestjs/microservices/helpers/tcp-socket.js';
import { ServerTCP } from '@nestjs/microservices/server/server-tcp.js';
import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import { PATTERNS, commandOfPattern } from '@streamgate/protocol/patterns';
import type { Config } from '../../config.js';
import { log } from '../../ops/log.js';
import type { Door } from '../door.js';
import type { Executor, Item } from '../execute.js';
import { InOrder } from './in-order.js';
import { LimitedSocket } from './limited-socket.js';

type TcpConfig = Pick<
  Config,
  'commandMaxBytes' | 'tcpHost' | 'tcpPort' | 'tcpTlsCert' | 'tcpTlsKey'
>;

/** Longest time that a TLS handshake, and taking the last answers, may take, in ms. */
const HANDSHAKE_MS = 10_000;
const LAST_ANSWERS_MS = 2_000;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** What a `ClientProxy` sends: without an id nobody waits for an answer. */
interface Packet {
  readonly id?: unknown;
  readonly pattern?: unknown;
  readonly data?: unknown;
}

/**
 * The Nest TCP door: document 1's four patterns, as events (`emit`) and as requests (`send`, which
 * answers the outcome). Nest frames the messages; its routing to controllers, which would neither
 * keep their order nor bound what waits, is not used (docs/decisions/0041-the-tcp-door.md).
 */
export class TcpDoor extends ServerTCP implements Door {
  private readonly queues = new Map<TcpSocket, InOrder>();

  constructor(
    private readonly config: TcpConfig,
    private readonly executor: Pick<Executor, 'executeBatch'>,
  ) {
    const { tcpHost: host, tcpPort: port = 0, tcpTlsCert: cert, tcpTlsKey: key } = config;
    const tls = cert !== undefined && key !== undefined;
    super({
      host,
      port,
      ...(tls && { tlsOptions: { cert, key, handshakeTimeout: HANDSHAKE_MS } }),
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.listen((error) => (error ? reject(error) : resolve()));
    });
    const { address: host, port, family } = this.unwrap<Server>().address() as AddressInfo;
    log.info({ host, port, tls: this.tlsOptions !== undefined }, 'the TCP door listens');
    if (!LOOPBACK.check(host, family === 'IPv6' ? 'ipv6' : 'ipv4'))
      log.warn('the TCP door is open to others than this machine, and asks nobody who they are');
  }

  /** What came is executed and answered; nothing more is read. */
  override async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const socket of this.openSockets) socket.pause();
    await Promise.all([...this.queues.values()].map((queue) => queue.idle()));
    for (const socket of this.openSockets) socket.destroySoon();
    const late = setTimeout(() => super.close(), LAST_ANSWERS_MS);
    await closed.finally(() => clearTimeout(late));
  }

  override async handleMessage(socket: TcpSocket, message: unknown): Promise<void> {
    const { id, pattern, data } = message as Packet;
    const item = itemOf(pattern, data, id !== undefined);
    const result = await this.queueOf(socket).push(item, (socket as LimitedSocket).messageBytes);
    answer(socket, id, result);
  }

  /** What Nest says of a connection that is framed wrong repeats what came: no word of it is logged. */
  override handleError(error: string | Error): void {
    const { code } = error as NodeJS.ErrnoException;
    log.warn({ code }, 'a connection of the TCP door was cut off');
  }

  protected override getSocketInstance(socket: Socket): TcpSocket {
    return new LimitedSocket(socket, this.config.commandMaxBytes, (limited, text) => {
      const { id } = JSON.parse(text) as Packet;
      const error = new GatewayError('payload_too_large');
      void this.queueOf(limited)
        .push(error, 0)
        .then((result) => answer(limited, id, result));
    });
  }

  private queueOf(socket: TcpSocket): InOrder {
    let queue = this.queues.get(socket);
    if (!queue) {
      const { netSocket } = socket;
      queue = new InOrder(this.executor, netSocket);
      this.queues.set(socket, queue);
      netSocket.once('close', () => this.queues.delete(socket));
    }
    return queue;
  }
}

function itemOf(pattern: unknown, data: unknown, wantSessions: boolean): Item | GatewayError {
  const known = PATTERNS.find((each) => each === pattern);
  if (known === undefined) return new GatewayError('not_found', 'No such pattern');
  try {
    return { input: commandOfPattern(known, data), wantSessions };
  } catch (thrown) {
    return toGatewayError(thrown);
  }
}

/** To a request; what becomes of an event is counted, and said in the log when it was refused. */
function answer(socket: TcpSocket, id: unknown, result: Awaited<ReturnType<InOrder['push']>>) {
  const error = result instanceof GatewayError ? result.toBody() : undefined;
  if (id === undefined) {
    if (error) log.warn({ code: error.code }, 'an event of the TCP door was refused');
    return;
  }
  if (error) socket.sendMessage({ id, err: error, isDisposed: true });
  else socket.sendMessage({ id, response: result, isDisposed: true });
}
