import { b64decode } from 'k6/encoding';
import { token } from '../lib/token.ts';

/** What a scenario is told by its environment; `make load` sets all of it. */
export const settings = {
  /** Of nodes, or of what stands in front of them. Person `i` goes to the `i`th, in turn. */
  urls: (__ENV.LOAD_URLS ?? __ENV.TARGET ?? 'http://127.0.0.1:3000').split(','),
  sessions: number('SESSIONS', 100),
  seconds: number('SECONDS', 30),
  /** Events a second, one after the other for as long each. */
  rates: (__ENV.RATE ?? '100').split(',').map(Number),
  vus: number('VUS', 2),
  /** People that connect in a second. */
  connectsPerSecond: number('CONNECTS', 200),
  /** What was sent has so long to arrive, after the last. */
  settleSeconds: number('SETTLE', 10),
  /** Where the runner says when the load begins and ends; without it the clock does. */
  control: __ENV.LOAD_CONTROL,
  /** Who sends: the runner through the stream, or k6 over REST. */
  door: __ENV.LOAD_DOOR === 'stream' ? 'stream' : 'rest',
  /** Begins the names of all people: two runs do not meet. */
  run: __ENV.LOAD_RUN ?? `load-${__ENV.K6_RUN_ID ?? 'k6'}`,
  /** Within which 99 % of deliveries have to be, in `unicast` and `room`. */
  deliveryMs: number('DELIVERY_MS', 250),
  /** Of events, about. */
  bytes: number('BYTES', 100),
} as const;

/** How long people may take to connect, in seconds. */
export const connectSeconds = 5 + (2 * settings.sessions) / settings.connectsPerSecond;

/** Tokens that somebody else has signed, one a line, instead of a secret. */
const signed = __ENV.LOAD_TOKENS ? open(__ENV.LOAD_TOKENS).trim().split('\n') : [];

/** @throws Error when there is neither a secret nor a token */
export function tokenOf(index: number): string {
  if (signed.length > 0) return signed[index % signed.length]!;
  return roleToken(`${settings.run}-${index}`, ['student']);
}

/** Of a service that may emit over REST. */
export function serviceToken(): string {
  return __ENV.LOAD_SERVICE_TOKEN ?? roleToken('load-service', ['service']);
}

/** Who a token is of. */
export function userOf(index: number): string {
  if (signed.length === 0) return `${settings.run}-${index}`;
  const payload = tokenOf(index).split('.')[1] ?? '';
  return String((JSON.parse(b64decode(payload, 'rawurl', 's')) as { sub?: unknown }).sub);
}

export function urlOf(index: number): string {
  return settings.urls[index % settings.urls.length]!;
}

function roleToken(sub: string, roles: string[]): string {
  const secret = __ENV.LOAD_SECRET;
  if (!secret) throw new Error('set LOAD_SECRET (HS256), or LOAD_TOKENS and LOAD_SERVICE_TOKEN');
  return token({ sub, roles }, secret);
}

function number(name: string, otherwise: number): number {
  const value = Number(__ENV[name] ?? otherwise);
  if (!(value >= 0)) throw new Error(`${name} is not a number: ${__ENV[name]}`);
  return value;
}
