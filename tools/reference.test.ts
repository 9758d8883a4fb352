import { expect, test } from 'vitest';
import { PATTERNS } from '../protocol/dist/patterns.js';
import { CLIENT_REFERENCE } from '../protocol/dist/reference-client.js';
import { PATTERN_REFERENCE } from '../protocol/dist/reference-patterns.js';
import { SERVER_REFERENCE } from '../protocol/dist/reference-server.js';
import { renderAsyncApi } from './reference/asyncapi.ts';
import { referenceEvents } from './reference/events.ts';
import { PAGES } from './reference/pages.ts';
import { referencePatterns } from './reference/patterns.ts';

/** Every event that the five documents name, as they name it; those made up as examples are left out. */
const DOCUMENTS: Readonly<Record<number, string>> = {
  1: 'ping pong join:room leave:room connected error',
  2: `send-message join-conversation leave-conversation typing receive-message message-sent
    message-error joined-conversation user-typing user:online user:offline error`,
  3: `get-active-users get-users-stats send-message join-room leave-room room-message
    connected user-connected user-disconnected active-users users-stats private-message
    broadcast-message notification broadcast-notification role-notification user-joined-room
    user-left-room joined-room left-room error`,
  4: `join_room leave_room typing_start typing_stop connected notification discussion_message
    discussion_reaction live_session_event course_announcement course_update user_presence
    typing_indicator private_message system_announcement error`,
  5: 'message connected error messageReceived notification alert update',
};

test.each(Object.entries(DOCUMENTS))(
  'every event of document %s has its entry',
  (document, text) => {
    const found = new Set(
      referenceEvents()
        .filter(({ reference }) => [reference.origin].flat().includes(Number(document) as 1))
        .map(({ name }) => name),
    );
    expect(text.split(/\s+/).filter((name) => !found.has(name))).toEqual([]);
  },
);

test('an example that its schema refuses stops the making, and is named', () => {
  wrong(CLIENT_REFERENCE['join-room'], { room: '*' }, '/ join-room: ');
  wrong(SERVER_REFERENCE['joined-room'], { room: 'a' }, '/ joined-room: ');
  wrong(SERVER_REFERENCE['joined-room'], { room: 'a', message: 'b', new: 1 }, '/ joined-room: ');
});

test('the AsyncAPI document has every event, with its reply', async () => {
  const { operations } = JSON.parse(await renderAsyncApi()) as {
    operations: Record<string, { action: string; reply?: { messages: { $ref: string }[] } }>;
  };
  for (const { name } of referenceEvents())
    expect(Object.keys(operations).some((id) => id.endsWith(`.${name.replaceAll(':', '.')}`))).toBe(
      true,
    );
  expect(operations['main.client.join-room']).toMatchObject({
    action: 'receive',
    reply: { messages: [{ $ref: '#/channels/main/messages/main.gateway.joined-room' }] },
  });
  expect(operations['main.service.alert']).toMatchObject({ action: 'send' });
});

test('every pattern of document 1 is described for both of its doors', async () => {
  const { channels } = JSON.parse(await renderAsyncApi()) as {
    channels: Record<string, { address: string }>;
  };
  const addresses = Object.values(channels).map(({ address }) => address);
  for (const pattern of PATTERNS) {
    expect(PAGES['doors.md']!()).toContain(`## \`${pattern}\``);
    expect(addresses).toContain(pattern);
    expect(addresses).toContain(pattern.replaceAll(':', '.'));
  }
});

test('a message of a door that would be refused stops the making, and is named', () => {
  const examples = PATTERN_REFERENCE['ws:emit:user'].examples as object[];
  examples.push({ userId: '42', data: 1 });
  expect(() => referencePatterns()).toThrow('wrong example of ws:emit:user');
  examples.pop();
});

test('links inside the pages lead to a heading', () => {
  const pages = Object.fromEntries(Object.entries(PAGES).map(([file, render]) => [file, render()]));
  const places = Object.entries(pages).flatMap(([file, text]) => [
    ...[...text.matchAll(/^#+ (.+)$/gm)].map(
      ([, title]) =>
        `${file}#${title!
          .toLowerCase()
          .replaceAll(' ', '-')
          .replaceAll(/[^\w-]/g, '')}`,
    ),
    ...[...text.matchAll(/<a id="(\w+)">/g)].map(([, id]) => `${file}#${id}`),
  ]);
  const links = Object.values(pages).flatMap((text) =>
    [...text.matchAll(/\]\((\w[\w-]*\.md#[^)]+)\)/g)].map(([, link]) => link!),
  );
  expect(links.length).toBeGreaterThan(50);
  expect(links.filter((link) => !places.includes(link))).toEqual([]);
});

/** @param named how the fault begins */
function wrong(entry: { readonly example: unknown }, example: unknown, named: string): void {
  const changed = entry as { example: unknown };
  const before = changed.example;
  changed.example = example;
  try {
    expect(() => referenceEvents()).toThrow(named);
  } finally {
    changed.example = before;
  }
}
