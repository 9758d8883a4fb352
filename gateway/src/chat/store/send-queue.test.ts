import { expect, test, vi } from 'vitest';
import { GatewayError } from '@streamgate/protocol/errors';
import type { NewMessage, Sent } from './chat-store.js';
import { SendQueue } from './send-queue.js';

/** Answers each batch when the test says so. */
function recorder() {
  const batches: NewMessage[][] = [];
  const answers: ((error?: Error) => void)[] = [];
  const queue = new SendQueue((messages) => {
    batches.push([...messages]);
    return new Promise((resolve, reject) => {
      answers.push((error) => (error ? reject(error) : resolve(messages.map(sent))));
    });
  });
  const answer = async (error?: Error) => {
    answers.shift()!(error);
    await turn();
  };
  /** Of several the first, which leaves, and then the others. */
  const send = async (...messages: readonly NewMessage[]) => {
    const sends = messages.slice(0, 1).map((message) => queue.send(message));
    await turn();
    return [...sends, ...messages.slice(1).map((message) => queue.send(message))];
  };
  const contents = () => batches.map((batch) => batch.map(({ content }) => content));
  return { queue, answer, send, contents };
}

/** What has been asked for, or answered, has left by then. */
async function turn(): Promise<void> {
  for (let count = 0; count < 2; count++) await new Promise((resolve) => setImmediate(resolve));
}

const sent = (message: NewMessage) => ({ message, duplicate: false }) as unknown as Sent;

function text(content: string, clientMessageId?: string): NewMessage {
  return { conversationId: 1, senderId: 'ann', type: 'text', content, clientMessageId };
}

const AWAY = new GatewayError('database_unavailable');
const said = (code: string) =>
  new GatewayError('internal', undefined, { cause: Object.assign(new Error('said'), { code }) });

test('what comes together goes together, and what comes meanwhile goes next, in order', async () => {
  const { queue, answer, contents } = recorder();
  const sends = ['a', 'b'].map((content) => queue.send(text(content)));
  await turn();
  expect(contents()).toEqual([['a', 'b']]);
  sends.push(...['c', 'd'].map((content) => queue.send(text(content))));
  await turn();
  expect(contents()).toEqual([['a', 'b']]);
  await answer();
  expect(contents()).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ]);
  await answer();
  const outcomes = await Promise.all(sends);
  expect(outcomes.map((one) => one?.message.content)).toEqual(['a', 'b', 'c', 'd']);
});

test('behind a batch that takes long others go on, but not of its conversations', async () => {
  const { queue, answer, send, contents } = recorder();
  const of = (conversationId: number, content: string) => ({ ...text(content), conversationId });
  const sends = await send(of(1, 'stuck'), of(1, 'behind it'), of(2, 'a'), of(3, 'b'));
  expect(contents()).toEqual([['stuck']]);
  await vi.waitFor(() => expect(contents()).toEqual([['stuck'], ['a', 'b']]));
  sends.push(queue.send(of(2, 'c')), queue.send(of(4, 'd')));
  await vi.waitFor(() => expect(contents().at(-1)).toEqual(['d']));
  // The one that was stuck, and then what waited for it.
  await answer();
  await vi.waitFor(() => expect(contents().at(-1)).toEqual(['behind it']));
  for (let batch = 0; batch < 3; batch++) await answer();
  expect(contents().at(-1)).toEqual(['c']);
  await answer();
  await Promise.all(sends);
});

test('a batch has only so many messages, and so much text', async () => {
  const { answer, send, contents } = recorder();
  const sends = await send(
    text('first'),
    ...Array.from({ length: 150 }, () => text('x')),
    ...Array.from({ length: 3 }, () => text('y'.repeat(200_000))),
  );
  for (let batch = 0; batch < 5; batch++) await answer();
  await Promise.all(sends);
  expect(contents().map((batch) => batch.length)).toEqual([1, 100, 51, 1, 1]);
});

test('the same message twice is in two batches, and what follows it behind it', async () => {
  const { answer, send, contents } = recorder();
  const sends = await send(
    ...[text('first'), text('a', 'id'), text('b'), text('a', 'id'), text('c')],
  );
  for (let batch = 0; batch < 3; batch++) await answer();
  await Promise.all(sends);
  expect(contents()).toEqual([['first'], ['a', 'b'], ['a', 'c']]);
});

test('all of a batch are refused while the database is away', async () => {
  const { answer, send, contents } = recorder();
  const outcomes = Promise.allSettled(await send(text('a'), text('b'), text('c')));
  await answer();
  await answer(AWAY);
  expect((await outcomes).map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'rejected',
  ]);
  expect(contents()).toEqual([['a'], ['b', 'c']]);
});

test.each(['55P03', '57014'])(
  'a batch that is stuck (%s) is sent by conversations',
  async (code) => {
    const { answer, send, contents } = recorder();
    const of = (conversationId: number, content: string) => ({ ...text(content), conversationId });
    const outcomes = Promise.allSettled(await send(text('a'), of(2, 'b'), of(3, 'c'), of(2, 'd')));
    const stuck = new GatewayError('database_unavailable', undefined, {
      cause: Object.assign(new Error('said'), { code }),
    });
    for (const error of [undefined, stuck, stuck, undefined]) await answer(error);
    expect((await outcomes).map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
    ]);
    expect(contents()).toEqual([['a'], ['b', 'c', 'd'], ['b', 'd'], ['c']]);
  },
);

test('a batch with a message that is not taken is sent by conversations, then one by one', async () => {
  const { answer, send, contents } = recorder();
  const other = { ...text('x'), conversationId: 2 };
  const outcomes = Promise.allSettled(
    await send(text('a'), text('b'), other, text('c'), text('d')),
  );
  const wrong = said('22P05');
  for (const error of [undefined, wrong, wrong, undefined, undefined, wrong, undefined])
    await answer(error);
  expect((await outcomes).map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'fulfilled',
    'rejected',
    'fulfilled',
  ]);
  const tried = [['a'], ['b', 'x', 'c', 'd'], ['b', 'c', 'd'], ['x'], ['b'], ['c'], ['d']];
  expect(contents()).toEqual(tried);
});

test.each(['23505', '40P01'])(
  'what somebody else was faster with (%s) is tried again',
  async (code) => {
    const { answer, send, contents } = recorder();
    const [sending] = await send(text('a'));
    await answer(said(code));
    await answer(said(code));
    await answer();
    expect((await sending)?.message.content).toBe('a');
    const [failing] = await send(text('b'));
    const refused = expect(failing).rejects.toMatchObject({ code: 'internal' });
    for (let attempt = 1; attempt <= 3; attempt++) await answer(said(code));
    await refused;
    expect(contents()).toEqual([['a'], ['a'], ['a'], ['b'], ['b'], ['b']]);
  },
);

test('only so many wait', async () => {
  const { queue, answer, send } = recorder();
  const sends = await send(...Array.from({ length: 10_001 }, () => text('x')));
  await expect(queue.send(text('one more'))).rejects.toMatchObject({
    code: 'database_unavailable',
  });
  const outcomes = Promise.allSettled(sends);
  for (let batch = 0; batch <= 100; batch++) await answer();
  expect((await outcomes).every(({ status }) => status === 'fulfilled')).toBe(true);
});
