import { setImmediate as turn } from 'node:timers/promises';
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { LogOutput } from './log-output.js';

/** A reader that takes nothing until it is told to. */
function slowReader() {
  const chunks: string[] = [];
  let release: (() => void) | undefined;
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _, done) {
      chunks.push(chunk);
      release = done;
    },
  });
  return { chunks, stream, release: () => release?.() };
}

test('lines of one turn are one write', async () => {
  const { chunks, stream } = slowReader();
  const output = new LogOutput(stream);
  output.write('a\n');
  output.write('b\n');
  expect(chunks).toEqual([]);
  await turn();
  expect(chunks).toEqual(['a\nb\n']);
});

test('what a slow reader does not take is lost above the limit, and counted when it reads again', async () => {
  const { chunks, stream, release } = slowReader();
  const output = new LogOutput(stream, 100);
  for (let n = 0; n < 20; n++) {
    output.write(`${String(n).padEnd(19)}\n`);
    await turn();
  }
  // One is at the reader, and five more wait before the limit is passed.
  expect(stream.writableLength).toBe(120);
  for (let n = 0; n < 6; n++) {
    release();
    await turn();
  }
  output.write('after\n');
  for (let n = 0; n < 2; n++) {
    await turn();
    release();
  }
  await turn();
  expect(chunks).toHaveLength(8);
  expect(JSON.parse(chunks[6]!)).toMatchObject({ level: 'warn', lines: 14 });
  expect(chunks[7]).toBe('after\n');
});

test('a reader that has gone does not end the node', async () => {
  const { stream } = slowReader();
  const output = new LogOutput(stream);
  stream.destroy(new Error('EPIPE'));
  await turn();
  output.write('to nobody\n');
  await turn();
  expect(stream.destroyed).toBe(true);
});
