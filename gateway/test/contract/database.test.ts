import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MIGRATIONS } from '../../src/chat/store/migrations.js';
import { DATABASE_CONFIG, openStore } from '../chat-store.js';
import { POSTGRES_PASSWORD, type TestPostgres, startPostgres } from '../postgres.js';

const dist = join(import.meta.dirname, '../../dist');
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'streamgate-database-'));
});
afterAll(() => rm(dir, { recursive: true }));

/** Exit status and what it says, as an operator sees it. */
function migrate(args: string[], env: NodeJS.ProcessEnv): Promise<[number | null, string]> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(dist, 'migrate.js'), ...args],
      { env },
      (_, stdout, stderr) => resolve([child.exitCode, stdout + stderr]),
    );
  });
}

describe('the command that migrates', () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  const names = MIGRATIONS.map(({ number, name }) => `${number} ${name}`);

  test('says what is to be done, does it, and does it once', async () => {
    const env = { STREAMGATE_DATABASE_URL: server.url };
    const todo = names.map((name) => `To be applied: ${name}\n`).join('');
    expect(await migrate(['--check'], env)).toEqual([1, todo]);
    const both = await Promise.all([migrate([], env), migrate([], env)]);
    const done = names.map((name) => `Applied: ${name}\n`).join('');
    const nothing = 'The schema of PostgreSQL is up to date.\n';
    expect(both.toSorted()).toEqual(
      [
        [0, done],
        [0, nothing],
      ].toSorted(),
    );
    expect(await migrate(['--check'], env)).toEqual([0, nothing]);
  });

  test('explains itself, and what is wrong without what is secret', async () => {
    expect(await migrate(['--help'], {})).toEqual([0, expect.stringContaining('--check')]);
    expect(await migrate(['--all'], {})).toEqual([2, expect.stringContaining("'--all'")]);
    const wrong = server.url.replace(POSTGRES_PASSWORD, 'wrong-secret');
    expect(await migrate([], { STREAMGATE_DATABASE_URL: wrong })).toEqual([
      2,
      'The database cannot be used: it refuses the user or the password.\n',
    ]);
    expect(await migrate([], { STREAMGATE_DATABASE_URL: 'mysql://a:secret@b/c' })).toEqual([
      2,
      expect.stringMatching(/^(?!.*secret)[^]*STREAMGATE_DATABASE_URL/),
    ]);
  });
});

test('a process that is killed leaves what it confirmed in its folder, and the folder free', async () => {
  const dataDir = join(dir, 'killed');
  // The command takes a folder as well.
  const env = { STREAMGATE_DATA_DIR: dataDir };
  expect((await migrate([], env))[0]).toBe(0);
  const writer = spawn(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `import { createChatStore } from '${dist}/chat/store/create-chat-store.js';
       const store = createChatStore(${JSON.stringify({ ...DATABASE_CONFIG, dataDir })});
       await store.start();
       const made = { kind: 'group', createdBy: 'ann', members: ['ann'] };
       const { conversation } = await store.createConversation(made);
       for (let number = 1; ; number++) {
         const content = 'message ' + number;
         const message = { conversationId: conversation.id, senderId: 'ann', type: 'text', content };
         await store.send(message);
         console.log(number);
       }`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let confirmed = 0;
  for await (const line of createInterface(writer.stdout)) {
    confirmed = Number(line);
    if (confirmed === 50) writer.kill('SIGKILL');
  }
  if (writer.signalCode === null) await once(writer, 'exit');
  expect(confirmed).toBeGreaterThanOrEqual(50);
  const store = await openStore({ dataDir });
  const { conversations } = await store.conversationsOf('ann', { limit: 1 });
  const conversationId = conversations[0]!.id;
  const { messages } = await store.messages({ conversationId, after: 0, limit: 100_000 });
  expect(messages.length).toBeGreaterThanOrEqual(confirmed);
  expect(messages.map(({ seq, content }) => [seq, content])).toEqual(
    messages.map((_, index) => [index + 1, `message ${index + 1}`]),
  );
  await store.close();
  expect(await migrate([], env)).toEqual([0, `The schema in ${dataDir} is up to date.\n`]);
  // Making the folder is seconds of work for a processor.
}, 60_000);
