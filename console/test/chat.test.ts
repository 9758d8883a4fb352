import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, describe, expect, test } from 'vitest';
import { portOf, Proxy } from '../../gateway/test/proxy.ts';
import { startNode } from '../../gateway/test/node.ts';
import { faultsOf } from './accessibility.ts';
import { connectAs, picture, startConsole, status } from './browser.ts';

const HOSTILE = `<img src=x onerror="alert(1)"><script>alert(2)</script>`;
const folder = mkdtempSync(join(tmpdir(), 'streamgate-console-'));
const DEVELOPMENT = {
  STREAMGATE_MODE: 'development',
  STREAMGATE_DATA_DIR: folder,
  STREAMGATE_CHAT_MESSAGES_BURST: '40',
  // So that 60 messages are too many on a machine that takes seconds to type them, too.
  STREAMGATE_CHAT_MESSAGES_PER_SECOND: '2',
  STREAMGATE_OFFLINE_SECONDS: '1',
};

// Hooks end in the reverse of their order: the node before its data.
afterAll(() => rmSync(folder, { recursive: true }));
const { browser, node } = await startConsole(DEVELOPMENT);

async function chatAs(user: string, url = node.url, options = {}): Promise<Page> {
  const page = await browser.open(url, options);
  await connectAs(page, user);
  await page.getByRole('link', { name: 'Chat' }).click();
  return page;
}

async function begin(page: Page, members: string, title = ''): Promise<void> {
  await page.getByLabel('With').fill(members);
  await page.getByLabel('Title').fill(title);
  await page.getByRole('button', { name: 'Begin' }).click();
  await page.getByRole('log').waitFor();
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.keyboard.press('Enter');
  await message(page, text).waitFor();
}

const message = (page: Page, text: string) =>
  page.getByRole('log').getByRole('listitem').filter({ hasText: text });
const talk = (page: Page, name: string) =>
  page.getByRole('list', { name: 'My conversations' }).getByRole('button', { name });

describe('two pages', () => {
  test('chat with each other', async () => {
    const [alice, bob] = await Promise.all([
      chatAs('alice'),
      chatAs('bob', node.url, { colorScheme: 'dark' }),
    ]);
    await begin(alice, 'bob');
    await talk(bob, 'alice').waitFor();
    await alice.locator('.members .mark.online').nth(1).waitFor();
    await say(alice, 'Hello, Bob!');
    await talk(bob, 'alice 1 unread').click();
    await message(bob, 'Hello, Bob!').waitFor();
    await message(alice, 'Hello, Bob!').locator('.receipt', { hasText: 'read' }).waitFor();

    await bob.getByLabel('Message', { exact: true }).pressSequentially('Hi');
    await alice.getByText('bob is typing').waitFor();
    await bob.keyboard.press('Enter');
    await message(alice, 'Hi').waitFor();
    await expect.poll(() => alice.getByText('bob is typing').count()).toBe(0);

    await message(bob, 'Hi').getByRole('button', { name: 'Edit' }).click();
    await bob.getByLabel('New text').fill('Hi, Alice!');
    await bob.keyboard.press('Enter');
    await message(alice, 'Hi, Alice!').getByText('edited').waitFor();
    await message(alice, 'Hi, Alice!').getByRole('button', { name: '♥' }).click();
    await message(bob, 'Hi, Alice!').getByRole('button', { name: '♥ 1' }).waitFor();

    await say(alice, HOSTILE);
    await message(bob, HOSTILE).waitFor();
    expect(await bob.locator('img, main script').count()).toBe(0);
    await message(alice, HOSTILE).getByRole('button', { name: 'Delete' }).click();
    await message(bob, 'deleted').waitFor();
    await say(alice, 'See you in class.');
    await bob.getByLabel('My status').selectOption('busy');
    await alice.locator('.members .mark.busy').waitFor();
    await picture(alice, 'chat');
    await picture(bob, 'chat-dark');
    await bob.close();
    await alice.locator('.members .mark.offline').waitFor();
  });

  test('a group: members come and go', async () => {
    const [alice, carol] = await Promise.all([chatAs('alice'), chatAs('carol')]);
    await begin(alice, 'bob', 'Class 7b');
    await say(alice, 'Before Carol');
    await alice.getByLabel('User to add').fill('carol');
    await alice.keyboard.press('Enter');
    await talk(carol, 'Class 7b').click();
    await message(carol, 'Before Carol').waitFor();
    await say(alice, 'With Carol');
    await message(carol, 'With Carol').waitFor();
    await carol.getByRole('button', { name: 'Leave' }).click();
    await expect.poll(() => talk(carol, 'Class 7b').count()).toBe(0);
    await expect.poll(() => alice.locator('.members li').count()).toBe(2);
  });
});

test('the history by page', async () => {
  const page = await chatAs('dave');
  await begin(page, 'erin');
  for (let number = 1; number <= 35; number++) {
    await page.getByLabel('Message', { exact: true }).fill(`Message ${number}.`);
    await page.keyboard.press('Enter');
  }
  await message(page, 'Message 35.').getByText('sent').waitFor();
  await page.reload();
  await talk(page, 'erin').click();
  await message(page, 'Message 35.').waitFor();
  expect(await message(page, 'Message').count()).toBe(30);
  await page.getByRole('button', { name: 'Show older' }).click();
  await message(page, 'Message 1.').waitFor();
  expect(await page.getByRole('button', { name: 'Show older' }).count()).toBe(0);
  const texts = await page.getByRole('log').locator('.text').allTextContents();
  expect(texts).toEqual(Array.from({ length: 35 }, (_, index) => `Message ${index + 1}.`));
});

test('both survive a restart of the gateway, which has another key then', async () => {
  const own = mkdtempSync(join(folder, 'restart-'));
  const env = { ...DEVELOPMENT, STREAMGATE_DATA_DIR: own };
  let current = await startNode(env);
  const proxy = await Proxy.start([current.url]);
  try {
    const [alice, bob] = await Promise.all([chatAs('alice', proxy.url), chatAs('bob', proxy.url)]);
    await begin(alice, 'bob');
    await say(alice, 'Before the restart');
    await talk(bob, 'alice').click();
    await message(bob, 'Before the restart').waitFor();
    await current.stop();
    await status(alice, 'Connection lost');
    expect(await alice.locator('.members .mark.online').count()).toBe(0);
    current = await startNode({ ...env, STREAMGATE_JWT_SECRET: 'another-secret'.repeat(3) });
    proxy.targets = [portOf(current.url)];
    await Promise.all([status(alice, 'Connected'), status(bob, 'Connected')]);
    await alice.locator('.members .mark.online').nth(1).waitFor();
    await say(bob, 'After the restart');
    await message(alice, 'After the restart').waitFor();
    expect(await message(alice, 'Before the restart').count()).toBe(1);
  } finally {
    await proxy.stop();
    await current.stop();
  }
});

test('what is typed while the connection is lost waits for it', async () => {
  const proxy = await Proxy.start([node.url]);
  try {
    const page = await chatAs('frank', proxy.url);
    await begin(page, 'grace');
    const { targets } = proxy;
    proxy.targets = [];
    await page.getByLabel('Message', { exact: true }).fill('Through');
    proxy.cut();
    await status(page, 'Connection lost');
    await page.getByLabel('Message', { exact: true }).press('Enter');
    expect(await message(page, 'Through').count()).toBe(0);
    proxy.targets = targets;
    // Of chat itself: it is back a moment after the namespace that the status tells of.
    await page.locator('.composer button:enabled').waitFor();
    await page.getByLabel('Message', { exact: true }).press('Enter');
    await message(page, 'Through').getByText('sent').waitFor();
  } finally {
    await proxy.stop();
  }
});

test('a message that was refused is shown, and sent again', async () => {
  const page = await chatAs('heidi', node.url, { bypassCSP: true });
  await begin(page, 'ivan');
  for (let number = 1; number <= 60; number++) {
    await page.getByLabel('Message', { exact: true }).fill(`Message ${number}.`);
    await page.keyboard.press('Enter');
  }
  const refused = page.getByRole('log').getByText('Not sent: Too many');
  await refused.first().waitFor();
  expect(await faultsOf(page)).toEqual([]);
  const text = (await page.locator('.message.waiting .text').last().textContent())!;
  const again = message(page, text).getByRole('button', { name: 'Try again' });
  await expect
    .poll(async () => {
      if (await again.count()) await again.click();
      return message(page, text).locator('.receipt').count();
    })
    .toBe(1);
});

describe('for everybody', () => {
  test.each(['light', 'dark'] as const)(
    'nothing that axe objects to, in %s',
    async (colorScheme) => {
      const page = await chatAs('oscar', node.url, { colorScheme, bypassCSP: true });
      await begin(page, 'ivan', 'A group');
      await say(page, 'Hello');
      await message(page, 'Hello').getByText('sent').waitFor();
      expect(await faultsOf(page)).toEqual([]);
    },
  );

  test('a narrow screen shows one thing at a time', async () => {
    const page = await chatAs('judy', node.url, { viewport: { width: 360, height: 740 } });
    await begin(page, 'mallory', 'A group');
    await say(page, 'Hello from a small screen');
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    expect(await page.getByLabel('With').isVisible()).toBe(false);
    await picture(page, 'chat-narrow');
    await page.getByRole('button', { name: 'Back' }).click();
    await talk(page, 'A group').waitFor();
  });
});
