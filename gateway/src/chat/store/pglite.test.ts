import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeGroup, openStore } from '../../../test/chat-store.js';

let parent: string;
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'streamgate-pglite-'));
});
afterAll(() => rm(parent, { recursive: true }));

// Making the folder is seconds of work for a processor.
test('a folder keeps what was said, for one store at a time, and for its owner only', async () => {
  const dataDir = join(parent, 'not', 'there', 'yet');
  const first = await openStore({ dataDir });
  const conversationId = await makeGroup(first, ['ann']);
  await first.send({ conversationId, senderId: 'ann', type: 'text', content: 'hello' });
  expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
  await expect(openStore({ dataDir })).rejects.toMatchObject({
    name: 'StoreConfigError',
    message: `The folder ${dataDir} is used by another process; give each its own STREAMGATE_DATA_DIR, or all one STREAMGATE_DATABASE_URL.`,
  });
  await first.close();
  const second = await openStore({ dataDir });
  const { messages } = await second.messages({ conversationId, limit: 10 });
  expect(messages).toMatchObject([{ seq: 1, content: 'hello' }]);
  await second.close();
}, 60_000);

test('a folder that cannot be made is told to the operator', async () => {
  await expect(openStore({ dataDir: '/dev/null/chat' })).rejects.toMatchObject({
    name: 'StoreConfigError',
    message: 'The folder /dev/null/chat cannot be used (ENOTDIR).',
  });
});
