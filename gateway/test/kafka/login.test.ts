import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../client.js';
import { ALICE } from '../cluster.js';
import { type NodeEnv, startNode } from '../node.js';
import { type TestBroker, startBroker } from './broker.js';
import { KafkaService } from './kafka.js';

const login = { username: 'gate', password: 'a-password-of-the-tests' };
let broker: TestBroker;
let folder: string;
let env: NodeEnv;

beforeAll(async () => {
  broker = await startBroker({ login });
  folder = await mkdtemp(join(tmpdir(), 'streamgate-login-'));
  const ca = join(folder, 'ca.pem');
  await writeFile(ca, broker.ca!);
  env = {
    STREAMGATE_KAFKA_BROKERS: broker.address,
    STREAMGATE_KAFKA_TOPIC_PREFIX: 'shop.',
    STREAMGATE_KAFKA_TLS: 'true',
    STREAMGATE_KAFKA_CA_FILE: ca,
    STREAMGATE_KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
    STREAMGATE_KAFKA_SASL_USERNAME: login.username,
    STREAMGATE_KAFKA_SASL_PASSWORD: login.password,
  };
});
afterAll(async () => {
  await broker.stop();
  await rm(folder, { recursive: true });
});

test('speaks TLS, logs in, and keeps to its prefix', async () => {
  const node = await startNode(env);
  try {
    await node.logged(({ msg }) => msg === 'Kafka is there');
    const { client } = await connect(node.url, ALICE);
    const service = new KafkaService(broker);
    await service.write('shop.ws.emit.user', { userId: 'alice', event: 'hello', data: 1 });
    expect(await client.next('hello')).toBe(1);
    client.close();
    await service.close();
  } finally {
    await node.stop();
  }
});

test.each<[string, NodeEnv, RegExp]>([
  ['a wrong password', { STREAMGATE_KAFKA_SASL_PASSWORD: 'wrong' }, /[Aa]uthentication/],
  ['an unknown authority', { STREAMGATE_KAFKA_CA_FILE: undefined }, /self-signed/],
])('%s is said, and is not shown', async (_, wrong, reason) => {
  const node = await startNode({ ...env, ...wrong });
  try {
    const line = await node.logged(({ msg }) => msg === 'Kafka is away');
    expect(line.reason).toMatch(reason);
    expect(node.output).not.toContain(login.password);
    expect(node.output).not.toContain('wrong');
  } finally {
    await node.stop();
  }
});
