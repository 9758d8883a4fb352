import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startNode } from '../../gateway/test/node.ts';
import { Proxy } from '../../gateway/test/proxy.ts';
import { Several } from '../../gateway/test/nodes/several.ts';
import { tokenOf } from '../../gateway/test/tokens.ts';
import { faultsOf } from './accessibility.ts';
import { arrived, connectAs, fact, join, picture, startConsole, status } from './browser.ts';

const DEVELOPMENT = { STREAMGATE_MODE: 'development' };
const HOSTILE = `<img src=x onerror="alert(1)"><script>alert(2)</script>{{7*7}}\${8*8}`;

const { browser, node } = await startConsole(DEVELOPMENT);

const send = (page: Page) => page.getByRole('button', { name: 'Send', exact: true }).click();
const form = (page: Page) => page.getByRole('region', { name: 'Send an event' });
const field = (page: Page, name: string) => form(page).getByRole('textbox', { name });

test('a name is enough in development, and a reload goes on as the same', async () => {
  const page = await browser.open(node.url);
  await picture(page, 'connect');
  await connectAs(page, 'alice', 'teacher, admin');
  expect(await fact(page, 'User')).toBe('alice (teacher) (admin)');
  await expect.poll(() => fact(page, 'Transport')).toBe('websocket');
  expect(await fact(page, 'Node')).toMatch(/^[\da-f]{8}$/);
  expect(await fact(page, 'Recovery')).toBe('first connect');
  await page.reload();
  await status(page, 'Connected');
  expect(await fact(page, 'User')).toBe('alice (teacher) (admin)');
  await page.getByRole('button', { name: 'Disconnect' }).click();
  await status(page, 'Not connected');
});

test('a script in a message, a name or a room stays text', async () => {
  const page = await browser.open(node.url);
  await connectAs(page, HOSTILE);
  await join(page, HOSTILE);
  await page.getByRole('button', { name: /^Speak/ }).click();
  await field(page, 'message').fill(HOSTILE);
  await send(page);
  const line = arrived(page, 'room-message');
  await line.locator('summary').click();
  expect(await line.locator('pre').textContent()).toContain(JSON.stringify(HOSTILE));
  expect(await page.locator('img, main script').count()).toBe(0);
});

describe('the form', () => {
  test('is made from the schema, filled in with an example, and says what is wrong', async () => {
    const page = await browser.open(node.url);
    await connectAs(page, 'alice');
    const events = await form(page).getByLabel('Event').locator('option').allTextContents();
    expect(events).toEqual(expect.arrayContaining(['ping', 'join_room', 'refresh-token']));

    await form(page).getByLabel('Event').selectOption('/ send-message');
    expect(await field(page, 'message').inputValue()).toBe('Hello');
    await field(page, 'to').fill('nobody');
    await send(page);
    await form(page).getByText('user_offline').waitFor();

    await field(page, 'to').fill('alice');
    await form(page).getByRole('button', { name: 'JSON' }).click();
    const json = form(page).getByLabel('Payload (JSON)');
    expect(JSON.parse(await json.inputValue())).toEqual({ message: 'Hello', to: 'alice' });
    await json.fill('{"message": 7}');
    await send(page);
    await form(page).getByText('invalid_payload').waitFor();
    await json.fill('{"message": ');
    await send(page);
    await form(page).getByText(/JSON/).last().waitFor();
  });

  test('examples are answered as they stand', async () => {
    const page = await browser.open(node.url);
    await connectAs(page, 'alice');
    for (const event of ['ping', 'message', 'get-active-users', 'get-users-stats']) {
      await form(page).getByLabel('Event').selectOption(`/ ${event}`);
      await send(page);
      await form(page).getByLabel('Answer').waitFor();
    }
    await form(page).getByLabel('Event').selectOption('/chat set-status');
    await send(page);
    await form(page).getByLabel('Answer').getByText('away').waitFor();
  });
});

describe('the log', () => {
  test('filters, pauses, copies, clears', async () => {
    const page = await browser.open(node.url, {
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    await connectAs(page, 'alice');
    await send(page);
    await arrived(page, 'pong').waitFor();

    await page.getByLabel('Filter events').fill('PONG');
    await expect.poll(() => page.locator('.entry').count()).toBe(1);
    await arrived(page, 'pong').locator('summary').click();
    await page.getByRole('button', { name: 'Copy', exact: true }).click();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(JSON.parse(copied)).toMatchObject({ way: 'in', namespace: '/', event: 'pong' });

    await page.getByLabel('Filter events').fill('');
    await page.getByRole('button', { name: 'Pause' }).click();
    await send(page);
    await page.getByRole('button', { name: 'Resume (3 new)' }).waitFor();
    expect(await arrived(page, 'pong').count()).toBe(1);
    await page.getByRole('button', { name: /^Resume/ }).click();
    await expect.poll(() => arrived(page, 'pong').count()).toBe(2);

    await page.getByLabel('Direction').selectOption({ label: 'Sent' });
    await expect.poll(() => page.locator('.entry:not(.out)').count()).toBe(0);
    await page.getByRole('button', { name: 'Clear' }).click();
    await expect.poll(() => page.locator('.entry').count()).toBe(0);
  });
});

test('the keyboard is enough', async () => {
  const page = await browser.open(node.url);
  const press = (key: string) => page.keyboard.press(key);
  await page.getByLabel('User', { exact: true }).focus();
  await press('Enter');
  await status(page, 'Connected');
  await page.getByLabel('Room to join').focus();
  await page.keyboard.type('general');
  await press('Enter');
  await page.getByRole('button', { name: 'Speak in general' }).focus();
  await press('Enter');
  await field(page, 'message').focus();
  await press('Control+Enter');
  await arrived(page, 'room-message', 'general').waitFor();
});

describe('a bad token is explained', () => {
  test.each<[string, () => string | Promise<string>, RegExp]>([
    ['half of one', () => 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9', /it has 2 of three parts/],
    ['of another key', () => tokenOf({ id: 'alice' }, 60, 'x'.repeat(32)), /key of this gateway/],
    ['too old', () => tokenOf({ id: 'alice' }, -3600), /This token expired on/],
  ])('%s', async (_, token, reason) => {
    const page = await browser.open(node.url);
    await page.getByText('Connect with a token').click();
    await page.getByLabel('Token').fill(await token());
    await page.getByRole('button', { name: 'Connect with it' }).click();
    await status(page, 'Refused');
    await page.getByRole('alert').getByText(reason).waitFor();
    await picture(page, 'refused');
  });
});

test('in production, once enabled: with a token only; without chat it says why', async () => {
  const production = await startNode({ STREAMGATE_CONSOLE: 'on' });
  try {
    const page = await browser.open(production.url);
    expect(await page.getByLabel('User', { exact: true }).count()).toBe(0);
    await page.getByLabel('Token').fill(await tokenOf({ id: 'alice' }));
    await page.getByRole('button', { name: 'Connect with it' }).click();
    await status(page, 'Connected');
    await expect.poll(() => fact(page, 'Transport')).toBe('websocket');
    await page.getByRole('link', { name: 'Chat' }).click();
    await page.getByRole('alert').getByText('Chat is not enabled').waitFor();
  } finally {
    await production.stop();
  }
});

describe('two nodes on one Redis', () => {
  let several: Several;
  beforeAll(async () => void (several = await Several.start(2, 'mailbox', DEVELOPMENT)));
  afterAll(() => several?.stop());

  test('a message in a room crosses from one to the other', async () => {
    const [alice, bob] = await Promise.all([
      browser.open(several.node(1).url, { viewport: { width: 1100, height: 700 } }),
      browser.open(several.node(2).url, { colorScheme: 'dark' }),
    ]);
    await connectAs(alice, 'alice', 'teacher');
    await connectAs(bob, 'bob');
    expect(await fact(alice, 'Node')).not.toBe(await fact(bob, 'Node'));
    await alice.locator('.list .name', { hasText: 'bob' }).waitFor();
    await bob.locator('.list .name', { hasText: 'alice' }).waitFor();
    await join(alice, 'general');
    await join(bob, 'general');
    await arrived(alice, 'user-joined-room', 'bob').waitFor();

    await alice.getByRole('button', { name: 'Speak in general' }).click();
    await field(alice, 'message').fill('Across the nodes');
    await send(alice);
    await arrived(bob, 'room-message', 'Across the nodes').waitFor();
    await bob.getByRole('button', { name: 'Write to alice' }).click();
    await send(bob);
    await arrived(alice, 'private-message', 'bob').locator('summary').click();
    await alice.mouse.move(0, 0);
    await picture(alice, 'events');
    await picture(bob, 'events-dark');

    await bob.getByRole('button', { name: 'Leave general' }).click();
    await arrived(alice, 'user-left-room', 'bob').waitFor();
  });

  test('a dropped connection is shown, and recovers what was missed', async () => {
    const proxy = await Proxy.start([several.node(1).url]);
    try {
      const page = await browser.open(proxy.url);
      await connectAs(page, 'alice');
      await join(page, 'general');
      await expect.poll(() => fact(page, 'Transport')).toBe('websocket');
      const { targets } = proxy;
      proxy.targets = [];
      proxy.cut();
      await status(page, 'Connection lost, trying again');
      await page.getByRole('alert').waitFor();
      expect(await form(page).getByRole('button', { name: 'Send', exact: true }).isDisabled()).toBe(
        true,
      );
      await picture(page, 'lost');

      const bob = await browser.open(several.node(2).url);
      await connectAs(bob, 'bob');
      await join(bob, 'general');
      await bob.getByRole('button', { name: 'Speak in general' }).click();
      await field(bob, 'message').fill('Said meanwhile');
      await send(bob);
      await arrived(bob, 'room-message', 'Said meanwhile').waitFor();

      proxy.targets = targets;
      await status(page, 'Connected');
      await arrived(page, 'room-message', 'Said meanwhile').waitFor();
      expect(await fact(page, 'Recovery')).toBe('recovered, nothing missed (1 loss)');
      await picture(page, 'recovered');
    } finally {
      await proxy.stop();
    }
  });
});

describe('for everybody', () => {
  test.each(['light', 'dark'] as const)(
    'nothing that axe objects to, in %s',
    async (colorScheme) => {
      const page = await browser.open(node.url, { colorScheme, bypassCSP: true });
      expect(await faultsOf(page)).toEqual([]);
      await connectAs(page, 'alice', 'teacher');
      await join(page, 'general');
      await send(page);
      await arrived(page, 'pong').locator('summary').click();
      expect(await faultsOf(page)).toEqual([]);
    },
  );

  test('a narrow screen needs no scrolling sideways', async () => {
    const page = await browser.open(node.url, { viewport: { width: 360, height: 740 } });
    await connectAs(page, 'alice', 'teacher');
    await join(page, 'a-room-with-a-rather-long-name'.repeat(4));
    await arrived(page, 'joined-room').locator('summary').click();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await picture(page, 'narrow');
  });

  test('dark or light by choice, kept over a reload', async () => {
    const page = await browser.open(node.url, { colorScheme: 'light' });
    const scheme = () =>
      page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
    await page.getByRole('button', { name: 'Theme: system' }).click();
    await page.getByRole('button', { name: 'Theme: light' }).click();
    expect(await scheme()).toBe('dark');
    await page.reload();
    await page.getByRole('button', { name: 'Theme: dark' }).waitFor();
    expect(await scheme()).toBe('dark');
  });
});
