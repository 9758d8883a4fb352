import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import type { Server } from 'socket.io';
import { type ErrorCode, GatewayError } from '@streamgate/protocol/errors';
import type { Config } from '../config.js';
import { metrics } from '../ops/metrics.js';
import { addressKey } from './address.js';
import { originAllowed } from './origin.js';
import { afterTaking, overdraft } from '../rate.js';
import { RefusalLog } from './refusal-log.js';

type Engine = Server['engine'];
type Limits = Pick<
  Config,
  'maxSessions' | 'maxSessionsPerAddress' | 'connectsPerSecond' | 'corsOrigins'
>;

export interface AdmissionParts {
  readonly config: Limits;
  readonly draining: () => boolean;
  readonly addressOf: (request: IncomingMessage) => string;
}

/** All that admission looks at. */
export interface Handshake {
  readonly draining: boolean;
  readonly origin: string | undefined;
  /** Connections of this node now, and from this address. */
  readonly connections: number;
  readonly fromAddress: number;
  /** Milliseconds until the handshake rate allows one more; 0 or less: now. */
  readonly rateWaitMs: number;
}

type Check = (handshake: Handshake, limits: Limits) => ErrorCode | undefined;

/** Why a handshake is refused; the first that says so decides. */
const CHECKS: readonly Check[] = [
  ({ draining }) => (draining ? 'draining' : undefined),
  ({ origin }, { corsOrigins }) =>
    originAllowed(corsOrigins, origin) ? undefined : 'origin_not_allowed',
  ({ connections }, { maxSessions }) => (connections < maxSessions ? undefined : 'node_full'),
  ({ rateWaitMs }) => (rateWaitMs > 0 ? 'handshake_rate' : undefined),
  ({ fromAddress }, { maxSessionsPerAddress }) =>
    fromAddress < maxSessionsPerAddress ? undefined : 'address_limit',
];

export function decideAdmission(handshake: Handshake, limits: Limits): ErrorCode | undefined {
  for (const check of CHECKS) {
    const code = check(handshake, limits);
    if (code) return code;
  }
  return undefined;
}

/** Handshakes that may come at once, in ms of the rate. */
const BURST_MS = 1000;

/** Connections of one address; held by its connections, gone with the last. */
interface AddressCount {
  readonly key: string;
  connections: number;
}

/**
 * Refuses handshakes in front of Engine.IO, before anything is allocated for them, with an HTTP
 * answer after which the stock client tries again. Requests with a `sid` belong to a connection
 * that was admitted and pass.
 */
export function installAdmission(engine: Engine, parts: AdmissionParts): void {
  const { config, draining, addressOf } = parts;
  const counts = new Map<string, AddressCount>();
  const countOf = new WeakMap<object, AddressCount>();
  const refusals = new RefusalLog();
  const msPerConnect = 1000 / config.connectsPerSecond;
  let paidUntil = 0;

  engine.use((request: EngineRequest, response: ServerResponse, next: () => void) => {
    if (request._query.sid) return next();
    const now = performance.now();
    const paidAfter = afterTaking(paidUntil, msPerConnect, now);
    const address = addressOf(request);
    const code = decideAdmission(
      {
        draining: draining(),
        origin: request.headers.origin,
        connections: engine.clientsCount,
        fromAddress: counts.get(addressKey(address))?.connections ?? 0,
        rateWaitMs: overdraft(paidAfter, BURST_MS, now),
      },
      config,
    );
    if (code === undefined) {
      paidUntil = paidAfter;
      return next();
    }
    metrics.connects.add('refused', code);
    refusals.refused(code, address);
    refuse(request, response, new GatewayError(code));
  });

  engine.on('connection', (connection: EngineConnection) => {
    const key = addressKey(addressOf(connection.request));
    const count = counts.get(key) ?? { key, connections: 0 };
    count.connections++;
    counts.set(key, count);
    countOf.set(connection, count);
    connection.on('close', closed);
  });

  /** One for all connections: a closure each would cost heap. */
  function closed(this: EngineConnection): void {
    const count = countOf.get(this);
    if (count && --count.connections === 0) counts.delete(count.key);
  }
}

interface EngineRequest extends IncomingMessage {
  /** Put there by Engine.IO before its middlewares run. */
  _query: Record<string, string>;
}
interface EngineConnection {
  request: IncomingMessage;
  on(event: 'close', listener: (this: EngineConnection) => void): void;
}

/** Answers with a problem document (RFC 9457), for polling and for upgrades alike. */
function refuse(request: IncomingMessage, response: ServerResponse, error: GatewayError): void {
  const { status, message } = error;
  const body = JSON.stringify({ type: 'about:blank', title: message, status, ...error.toBody() });
  const headers: Record<string, string> = {
    'Content-Type': 'application/problem+json',
    'Content-Length': String(Buffer.byteLength(body)),
    // So that the next try may reach another node behind a balancer of connections.
    Connection: 'close',
  };
  // Jittered, so that those who were refused together do not come back together.
  if (error.retryable) headers['Retry-After'] = String(1 + Math.floor(Math.random() * 5));
  if (response instanceof ServerResponse) {
    response.writeHead(status, headers).end(body);
    return;
  }
  // An upgrade: Engine.IO's stand-in for a response can only destroy the socket.
  const { socket } = request;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n`;
  // Nobody else listens on a socket that is being upgraded.
  socket.on('error', () => socket.destroy());
  socket.setTimeout(FLUSH_MS, () => socket.destroy());
  socket.write(head + body);
  socket.destroySoon();
}

/** How long a refused client may take to read its answer, in ms. */
const FLUSH_MS = 2000;
