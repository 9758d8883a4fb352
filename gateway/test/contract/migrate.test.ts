import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../client.js';
import { SECRET, startNode, type TestNode } from '../node.js';
import { rest, SERVICE } from '../rest.js';
import { tokenOf, type Person } from '../tokens.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const USER = { id: 'user1', username: 'Ann', roles: ['admin'] };
/** What a service's request is answered with, and as whom the client comes. */
const OF_DOCUMENT: Record<number, { user: Person; answer: object }> = {
  2: { user: { id: '1' }, answer: { kind: 'direct' } },
};
const OF_OTHERS = { user: USER, answer: { success: true } };

/** The blocks of a page of docs/migrate that a test can run. */
async function page(document: number) {
  const text = await readFile(`${root}/docs/migrate/document-${document}.md`, 'utf8');
  const block = (language: string) => {
    const found = new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(text)?.[1];
    if (found === undefined) throw new Error(`document ${document} has no ${language}`);
    return found;
  };
  return { env: block('env'), js: block('js'), sh: block('sh') };
}

/** The page's settings, with what differs on each machine replaced. */
function settings(env: string): Record<string, string> {
  const lines = env.trim().split('\n');
  return {
    ...Object.fromEntries(lines.map((line) => line.split(/=(.*)/).slice(0, 2))),
    STREAMGATE_HTTP_PORT: '0',
    STREAMGATE_JWT_SECRET: SECRET,
  };
}

describe.each([
  [
    1,
    ['Connected to WebSocket server', 'Pong received: { data: { timestamp:'],
    ['Quiz created: { quizId: 7, title: '],
  ],
  [2, ['Connected: 1'], ['Joined: true', 'Sent: Hello!', 'New message: Hello!']],
  [
    3,
    [
      "Connected: {\n  message: 'Successfully connected to WebSocket'",
      'Active users: [',
      'Message from Ann : Hello everyone!',
      'In general : Hello room!',
    ],
    ['Notification: You have a new lesson'],
  ],
  [
    4,
    ["Connected: {\n  message: 'Successfully connected to WebSocket'"],
    ["New notification: { title: 'New Lesson Available' }"],
  ],
  [
    5,
    ['Connected: user1', 'Server received: Hello from client!'],
    ['Test: This is a test notification'],
  ],
] as const)('docs/migrate/document-%i.md', (document, atOnce, afterCurl) => {
  let node: TestNode;
  let client: ChildProcess;
  let output = '';
  const file = `${root}/.cache/migrate-${document}.mjs`;
  const { user, answer } = OF_DOCUMENT[document] ?? OF_OTHERS;

  beforeAll(async () => {
    const { env, js } = await page(document);
    node = await startNode(settings(env));
    await mkdir(`${root}/.cache`, { recursive: true });
    await writeFile(
      file,
      js.replace(/http:\/\/localhost:\d+/, node.url).replace('your-jwt-token', await tokenOf(user)),
    );
    client = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [client.stdout!, client.stderr!])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  });
  afterAll(async () => {
    client.kill();
    await node.stop();
    await rm(file);
  });

  const printed = (text: string) =>
    eventually(
      () => output,
      (all) => all.includes(text),
    );

  test('the client connects and is answered', async () => {
    for (const text of atOnce) await printed(text);
    expect(output).not.toContain('rror:');
  });

  test('the curl reaches it', async () => {
    const { sh } = await page(document);
    const command = sh
      .replace(/http:\/\/localhost:\d+/, node.url)
      .replace('service-token', await tokenOf(SERVICE));
    const { stdout } = await promisify(execFile)('bash', ['-c', command]);
    expect(JSON.parse(stdout)).toMatchObject(answer);
    for (const text of afterCurl) await printed(text);
  });
});

test('document 5: any access token may send, and a refused client hears `error`', async () => {
  const { env, js } = await page(5);
  const node = await startNode(settings(env));
  const anyone = { id: 'somebody' };
  const answer = await rest(
    node,
    'POST /api/gateway/send',
    { userId: 'nobody', event: 'e', message: {} },
    anyone,
  );
  expect(answer.status).toBe(200);
  const file = `${root}/.cache/migrate-5-refused.mjs`;
  await writeFile(file, js.replace(/http:\/\/localhost:\d+/, node.url));
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [file]);
  expect(stderr).toContain('Error: Authentication failed');
  expect(stdout).toContain('Disconnected');
  await rm(file);
  await node.stop();
});
