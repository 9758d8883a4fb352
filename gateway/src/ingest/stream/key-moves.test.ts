import { expect, test } from 'vitest';
import { partitionOf } from '@streamgate/protocol/stream';
import { KeyMoves } from './key-moves.js';

/** A key that these numbers of partitions lead to these partitions. */
function keyOf(homes: Readonly<Record<number, number>>): string {
  for (let n = 0; ; n++) {
    const all = Object.entries(homes);
    if (all.every(([count, home]) => partitionOf(`k${n}`, Number(count)) === home)) return `k${n}`;
  }
}
const entry = (ms: number, key: string) => ({ id: `${ms}-0`, fields: ['key', key] });

/** @param oldest by partition; absent: it is empty */
function moves(partition: number, history: string, oldest: Readonly<Record<number, number>>) {
  const asked: number[] = [];
  const it = new KeyMoves(partition, async (partitions) => {
    asked.push(...partitions);
    return partitions.map((each) => oldest[each] ?? -1);
  });
  it.learn(history);
  return { asked, ready: (...entries: ReturnType<typeof entry>[]) => it.ready(entries) };
}

const moved = keyOf({ 1: 0, 4: 2, 2: 0 });

test.each<[string, number, string, Record<number, number>, number, number]>([
  ['nothing has changed', 0, '0:4', {}, 5000, 2],
  ['the old partition is empty', 2, '0:1 1000:4', {}, 5000, 2],
  ['the old one has older entries', 2, '0:1 1000:4', { 0: 4999 }, 5000, 0],
  ['the old one has only younger entries', 2, '0:1 1000:4', { 0: 5002 }, 5000, 2],
  ['as old: the lower partition goes first', 2, '0:1 1000:4', { 0: 5000 }, 5000, 0],
  ['as old: and this one is the lower', 0, '0:4 1000:2', { 2: 5000 }, 5000, 1],
  ['long after the change nobody writes there', 2, '0:1 1000:4', { 0: 12_000 }, 50_000, 2],
  ['unless what was written then still waits', 2, '0:1 1000:4', { 0: 9000 }, 50_000, 0],
  ['an old partition is not in the way of itself', 0, '0:1 1000:4', { 0: 1 }, 5000, 2],
  ['over two changes', 0, '0:1 1000:4 2000:2', { 2: 1500 }, 5000, 0],
])('%s', async (name, partition, history, oldest, ms, ready) => {
  const key = name.includes('itself') ? keyOf({ 4: 0 }) : moved;
  const { ready: count } = moves(partition, history, oldest);
  expect(await count(entry(ms, key), entry(ms + 1, key))).toBe(ready);
});

test('what stands before an entry that waits may be executed', async () => {
  const { ready } = moves(2, '0:1 1000:4', { 0: 3000 });
  expect(await ready(entry(2000, moved), entry(2500, moved), entry(4000, moved))).toBe(2);
});

test('asks only for partitions that are in question', async () => {
  const { asked, ready } = moves(2, '0:4 1000:3', { 0: 1 });
  await ready(entry(5000, keyOf({ 4: 1, 3: 2 })));
  expect(asked).toEqual([1]);
});

test('an entry in a partition that no rule leads to waits for nobody', async () => {
  const { asked, ready } = moves(0, '0:1 1000:4', { 2: 1 });
  expect(await ready(entry(5000, keyOf({ 4: 3 })))).toBe(1);
  expect(asked).toEqual([]);
});
