import { expect, test } from 'vitest';
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
    await new Promise((resolve) => setImmediate(resolve));
  };
  const contents = () => batches.map((batch) => batch.map(({ content }) => content));
  return { queue, answer, contents };
}

const sent = (message: NewMessage) => ({ message, duplicate: false }) as unknown as Sent;

function text(content: string, clientMessageId?: string): NewMessage {
  return { conversationId: 1, senderId: 'ann', type: 'text', content, clientMessageId };
}

const AWAY = new GatewayError('database_unavailable');
const said = (code: string) =>
  new GatewayError('internal', undefined, { cause: Object.assign(new Error('said'), { code }) });

test('the first goes at once, what comes meanwhile goes together and in order', async () => {
  const { queue, answer, contents } = recorder();
  const sends = ['a', 'b', 'c'].map((content) => queue.send(text(content)));
  expect(contents()).toEqual([['a']]);
  await answer();
  expect(contents()).toEqual([['a'], ['b', 'c']]);
  await answer();
  const outcomes = await Promise.all(sends);
  expect(outcomes.map((one) => one?.message.content)).toEqual(['a', 'b', 'c']);
});

test('a batch has only so many messages, and so much text', async () => {
  const { queue, answer, contents } = recorder();
  const sends = [queue.send(text('first'))];
  for (let number = 0; number < 150; number++) sends.push(queue.send(text('x')));
  for (let number = 0; number < 3; number++) sends.push(queue.send(text('y'.repeat(200_000))));
  for (let number = 0; number < 5; number++) await answer();
  await Promise.all(sends);
  expect(contents().map((batch) => batch.length)).toEqual([1, 100, 51, 1, 1]);
});

test('the same message twice is in two batches', async () => {
  const { queue, answer, contents } = recorder();
  const sends = [text('first'), text('a', 'id'), text('b'), text('a', 'id'), text('c')].map((one) =>
    queue.send(one),
  );
  for (let number = 0; number < 3; number++) await answer();
  await Promise.all(sends);
  expect(contents()).toEqual([['first'], ['a', 'b'], ['a', 'c']]);
});

test('all of a batch are refused while the database is away', async () => {
  const { queue, answer, contents } = recorder();
  const sends = ['a', 'b', 'c'].map((content) => queue.send(text(content)));
  const outcomes = Promise.allSettled(sends);
  await answer();
  await answer(AWAY);
  expect((await outcomes).map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'rejected',
  ]);
  expect(contents()).toEqual([['a'], ['b', 'c']]);
});

test('a batch with a message that is not taken is sent one by one', async () => {
  const { queue, answer, contents } = recorder();
  const sends = ['a', 'b', 'c', 'd'].map((content) => queue.send(text(content)));
  const outcomes = Promise.allSettled(sends);
  for (const error of [undefined, said('22P05'), undefined, said('22P05'), undefined])
    await answer(error);
  expect((await outcomes).map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
    'fulfilled',
  ]);
  expect(contents()).toEqual([['a'], ['b', 'c', 'd'], ['b'], ['c'], ['d']]);
});

test.each(['23505', '40P01'])(
  'what somebody else was faster with (%s) is tried again',
  async (code) => {
    const { queue, answer, contents } = recorder();
    const sending = queue.send(text('a'));
    await answer(said(code));
    await answer(said(code));
    await answer();
    expect((await sending)?.message.content).toBe('a');
    const failing = expect(queue.send(text('b'))).rejects.toMatchObject({ code: 'internal' });
    for (let attempt = 1; attempt <= 3; attempt++) await answer(said(code));
    await failing;
    expect(contents()).toEqual([['a'], ['a'], ['a'], ['b'], ['b'], ['b']]);
  },
);

test('only so many wait', async () => {
  const { queue, answer } = recorder();
  const sends = Array.from({ length: 10_001 }, () => queue.send(text('x')));
  await expect(queue.send(text('one more'))).rejects.toMatchObject({
    code: 'database_unavailable',
  });
  const outcomes = Promise.allSettled(sends);
  for (let batch = 0; batch <= 100; batch++) await answer();
  expect((await outcomes).every(({ status }) => status === 'fulfilled')).toBe(true);
});
