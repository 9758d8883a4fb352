import { expect, it } from 'vitest';
import { ForeignMailbox } from './foreign-mailbox.js';
import { FORMAT } from './keys.js';
import { KIND, encode } from './message.js';
import { START, WHOLE } from './position.js';
import type { RawEntry } from './reader.js';

/** One event a millisecond; while it is broken nothing behind 100 can be read. */
function mailboxOf(last: () => number, trimmed: () => Promise<string | null | undefined>) {
  let broken = false;
  const page = (from: string, to: string): Promise<RawEntry[]> => {
    const after = Number.parseInt(from.replace('(', ''), 10) + (from.startsWith('(') ? 1 : 0);
    const upTo = Math.min(Number.parseInt(to, 10), last());
    const entries: RawEntry[] = [];
    for (let ms = Math.max(after, 1); ms <= upTo; ms++) {
      const draft = { kind: KIND.event, takesOffset: true, namespace: '/', rooms: ['a'] };
      const blob = encode({ ...draft, text: `2["news",${ms}]` }, 1, ms);
      entries.push([Buffer.from(`${ms}-0`), [Buffer.from(FORMAT), blob]]);
      if (entries.length === 64) {
        if (broken && ms > 100) return Promise.reject(new Error('lost'));
        break;
      }
    }
    return Promise.resolve(entries);
  };
  const mailbox = new ForeignMailbox(page, trimmed, 1e6);
  return { mailbox, breaks: (is: boolean) => (broken = is) };
}

function found({ history }: ForeignMailbox) {
  const rooms = new Map([['a', [{}]]]);
  return history.between('/', rooms, { id: START, index: WHOLE }, '999-0').length;
}

it('is read page by page, and on from there', async () => {
  const { mailbox } = mailboxOf(
    () => 300,
    () => Promise.resolve(null),
  );
  expect(await mailbox.load(START, '100-0')).toBe(true);
  expect(await mailbox.load(START, '300-0')).toBe(true);
  expect(found(mailbox)).toBe(300);
});

it('has nothing twice when reading on failed in the midst', async () => {
  const { mailbox, breaks } = mailboxOf(
    () => 300,
    () => Promise.resolve(null),
  );
  await mailbox.load(START, '10-0');
  breaks(true);
  await expect(mailbox.load(START, '300-0')).rejects.toThrow('lost');
  breaks(false);
  expect(await mailbox.load(START, '300-0')).toBe(true);
  expect(found(mailbox)).toBe(300);
});

it('is not taken for whole when it is cleared away meanwhile', async () => {
  const { mailbox } = mailboxOf(
    () => 100,
    () => Promise.resolve(undefined),
  );
  expect(await mailbox.load(START, '300-0')).toBe(false);
});
