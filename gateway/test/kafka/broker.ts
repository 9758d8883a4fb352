import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Admin, type BaseOptions } from '@platformatic/kafka';
import { eventually } from '../client.js';
import { freePort } from '../redis.js';
import { tie } from '../tied.js';

/** `tools/ensure kafka` puts it there. */
const libraries = fileURLToPath(new URL('../../../.cache/kafka', import.meta.url));

/** A real broker of the test's own, a KRaft cluster of one, on free ports of loopback. */
export interface TestBroker {
  /** `host:port` */
  readonly address: string;
  /** How a client of the test reaches it. */
  readonly client: BaseOptions;
  /** Certificate that signs the broker's, PEM; with `login` only. */
  readonly ca: string | undefined;
  /** As `kill -9`; the data stays. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void;
  /** Starts it again on the same port with the same data. */
  restart(): Promise<void>;
  /** Gives a topic more partitions. */
  repartition(topic: string, partitions: number): Promise<void>;
  /** Kills it for good and removes its folder. */
  stop(): Promise<void>;
}

export interface BrokerOptions {
  /** Clients have to speak TLS and log in with SCRAM-SHA-512. */
  readonly login?: { readonly username: string; readonly password: string };
  /** `false`: it stands ready but does not run; `restart` starts it. */
  readonly running?: boolean;
}

export async function startBroker({ login, running = true }: BrokerOptions = {}) {
  if (!existsSync(join(libraries, 'pom.xml'))) throw new Error('run tools/ensure kafka first');
  const dir = await mkdtemp(join(tmpdir(), 'streamgate-kafka-'));
  const [port, internal, controller] = [await freePort(), await freePort(), await freePort()];
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'log.dirs': join(dir, 'data'),
    listeners: `OUT://127.0.0.1:${port},IN://127.0.0.1:${internal},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `OUT://localhost:${port},IN://127.0.0.1:${internal}`,
    'listener.security.protocol.map': `OUT:${login ? 'SASL_SSL' : 'PLAINTEXT'},IN:PLAINTEXT,CONTROLLER:PLAINTEXT`,
    'inter.broker.listener.name': 'IN',
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.bootstrap.servers': `127.0.0.1:${controller}`,
    'num.partitions': '4',
    'offsets.topic.num.partitions': '4',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'auto.create.topics.enable': 'false',
    // One that was killed may come back before the controller has forgotten it.
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '500',
    ...(login && {
      'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
      'listener.name.out.scram-sha-512.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      'listener.name.out.ssl.keystore.type': 'PEM',
      'listener.name.out.ssl.keystore.location': join(dir, 'broker.pem'),
    }),
  };
  const ca = login && (await certify(dir));
  const file = join(dir, 'server.properties');
  await writeFile(
    file,
    Object.entries(settings)
      .map((line) => line.join('='))
      .join('\n'),
  );
  java('kafka.tools.StorageTool', [
    ...['format', '--standalone', '--config', file],
    `--cluster-id=${randomBytes(16).toString('base64url')}`,
    ...(login
      ? ['--add-scram', `SCRAM-SHA-512=[name=${login.username},password=${login.password}]`]
      : []),
  ]);
  const address = `localhost:${port}`;
  const client: BaseOptions = {
    clientId: 'test',
    bootstrapBrokers: [address],
    retries: 1,
    retryDelay: 200,
    ...(login && {
      sasl: { mechanism: 'SCRAM-SHA-512', ...login },
      ...(ca !== undefined && { tls: { ca }, tlsServerName: true }),
    }),
  };
  let child = running ? await launch(file, client) : undefined;
  const broker: TestBroker = {
    address,
    client,
    ca,
    async kill() {
      if (child) await end(child);
      child = undefined;
    },
    pause() {
      child?.kill('SIGSTOP');
    },
    async restart() {
      await broker.kill();
      child = await launch(file, client);
    },
    async repartition(topic, partitions) {
      const admin = new Admin(client);
      await admin.createPartitions({
        topics: [{ name: topic, count: partitions, assignments: null }],
      });
      await admin.close();
    },
    async stop() {
      await broker.kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return broker;
}

/** Small, and quick to start rather than quick in the long run. */
const flags = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', join(libraries, '*')];

function java(main: string, args: string[]): void {
  execFileSync('java', [...flags, main, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
}

async function launch(file: string, client: BaseOptions): Promise<ChildProcess> {
  const child = tie(spawn('java', [...flags, 'kafka.Kafka', file], { stdio: 'ignore' }));
  await eventually(
    () => {
      if (child.exitCode !== null) throw new Error('the broker ended at start');
      return answers(client);
    },
    (up) => up,
    60_000,
  );
  return child;
}

async function answers(client: BaseOptions): Promise<boolean> {
  const admin = new Admin({ ...client, retries: 0 });
  try {
    await admin.listTopics();
    return true;
  } catch {
    return false;
  } finally {
    await admin.close();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** A self-signed certificate for localhost, its key beside it in one file. @returns the certificate */
async function certify(dir: string): Promise<string> {
  const pem = execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', '-'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'],
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  await writeFile(join(dir, 'broker.pem'), pem, { mode: 0o600 });
  return pem.slice(pem.indexOf('-----BEGIN CERTIFICATE-----'));
}
