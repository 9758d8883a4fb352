import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { confirm } from './confirm.ts';

const typing = (text: string) => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  input.end(`${text}\n`);
  output.resume();
  return [input, output] as const;
};

test('load goes to a deployment elsewhere only when its host is typed', async () => {
  const target = 'https://gateway.example.com';
  await confirm(target, ...typing('gateway.example.com'));
  await expect(confirm(target, ...typing('yes'))).rejects.toThrow('Nothing was done');
  await expect(confirm(target, ...typing(''))).rejects.toThrow('Nothing was done');
});

test('what is on loopback is not asked for', async () => {
  await confirm('http://localhost:3000', ...typing(''));
  await confirm('http://127.0.0.1:3000', ...typing(''));
});
