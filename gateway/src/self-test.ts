import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { SignJWT } from 'jose';

const HELP = `Proves that a gateway serves: a client connects, a service emits to it, the event arrives.

  node gateway/dist/self-test.js --url URL (--secret-file FILE | --token-file FILE) [--role ROLE] [--claims JSON]

  --url          the gateway, or the Service or ingress before several
  --secret-file  holds the HS256 secret, to sign a token with
  --token-file   holds a token whose principal may emit
  --role         that the signed token has (admin); one of STREAMGATE_EMIT_ROLES
  --claims       more claims of the signed token, such as {"iss": "...", "aud": "..."}
  --help         this text
`;

/** For each step: a rollout, a node that is just becoming ready. */
const PATIENCE_MS = 20_000;
const USER = 'streamgate-self-test';

const options = {
  url: { type: 'string' },
  'secret-file': { type: 'string' },
  'token-file': { type: 'string' },
  role: { type: 'string', default: 'admin' },
  claims: { type: 'string', default: '{}' },
  help: { type: 'boolean', short: 'h' },
} as const;

/**
 * A client of one connection in Engine.IO 4 and Socket.IO 5 (socket.io/docs/v4/socket-io-protocol/),
 * as much as the test needs: the image has no client.
 */
class Client {
  private readonly socket: WebSocket;
  private readonly events: unknown[][] = [];
  private refused: string | undefined;
  private failure: string | undefined;
  private changed = () => {};

  constructor(url: string, token: string) {
    this.socket = new WebSocket(
      `${url.replace(/^http/, 'ws').replace(/\/$/, '')}/socket.io/?EIO=4&transport=websocket`,
    );
    this.socket.addEventListener('message', ({ data }) => this.receive(String(data), token));
    this.socket.addEventListener('close', ({ code }) => {
      this.failure = `the connection was closed (${code})`;
      this.changed();
    });
  }

  /** @throws Error when it does not come in time, or the connection ends before */
  async next(name: string): Promise<unknown> {
    return (await this.wait(`no ${name}`, () => this.events.find(([event]) => event === name)))[1];
  }

  /** The reason why the connect was refused. @throws Error when it was not */
  refusal(): Promise<string> {
    return this.wait('it was let in', () => this.refused);
  }

  close(): void {
    this.socket.close();
  }

  private receive(packet: string, token: string): void {
    if (packet.startsWith('0')) this.socket.send(`40${JSON.stringify({ token })}`);
    else if (packet === '2') this.socket.send('3');
    else if (packet.startsWith('42')) this.events.push(JSON.parse(packet.slice(2)) as unknown[]);
    else if (packet.startsWith('44'))
      this.refused = (JSON.parse(packet.slice(2)) as { message: string }).message;
    this.changed();
  }

  private async wait<T>(failure: string, read: () => T | undefined): Promise<T> {
    const late = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      const found = read();
      if (found !== undefined) return found;
      const ended = this.refused ?? this.failure;
      if (ended !== undefined) throw new Error(`${failure}: ${ended}`);
      if (late.aborted) throw new Error(`${failure} within ${PATIENCE_MS} ms`);
      await new Promise<void>((resolve) => {
        this.changed = resolve;
        late.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }
}

async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const { url } = values;
  if (url === undefined) throw new Error('--url is missing; see --help');
  const token = await tokenOf(values);
  const client = new Client(url, token);
  await client.next('connected');
  say('a client connects');
  await emit(url, token, client);
  client.close();
  const stranger = new Client(url, `${token.slice(0, -8)}AAAAAAAA`);
  say(`a forged token is refused: ${await stranger.refusal()}`);
  stranger.close();
}

async function tokenOf(values: {
  'secret-file'?: string;
  'token-file'?: string;
  role: string;
  claims: string;
}): Promise<string> {
  const { 'secret-file': secretFile, 'token-file': tokenFile } = values;
  if (tokenFile !== undefined) return textOf(tokenFile);
  if (secretFile === undefined)
    throw new Error('--secret-file or --token-file is missing; see --help');
  return new SignJWT({
    sub: USER,
    roles: [values.role],
    ...(JSON.parse(values.claims) as Record<string, unknown>),
  })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(new TextEncoder().encode(textOf(secretFile)));
}

/** Through the REST door, to whoever the token says; another pod may take it than has the session. */
async function emit(url: string, token: string, client: Client): Promise<void> {
  const message = { nonce: randomUUID() };
  const { sub } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    sub: string;
  };
  const answer = await fetch(new URL('/api/gateway/send', url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ userId: sub, event: 'self-test', message }),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`the REST door answers ${answer.status}: ${text}`);
  const received = (await client.next('self-test')) as typeof message;
  if (received.nonce !== message.nonce) throw new Error('another event arrived than was sent');
  say('an event sent through the REST door arrives');
}

function textOf(path: string): string {
  return readFileSync(path, 'utf8').trim();
}

function say(line: string): void {
  process.stdout.write(`ok: ${line}\n`);
}

try {
  await run(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`failed: ${(error as Error).message}\n`);
  // A connection may still be open.
  process.exit(1);
}
