import { expect, test } from 'vitest';
import { readConfig } from '../config.js';
import { checkAttachment } from './attachments.js';
import { Rate } from './rates.js';
import { Turns } from './turns.js';

const file = { url: 'https://files.example/1', name: 'a.pdf', mime: 'application/pdf', size: 10 };
const rules = readConfig({ STREAMGATE_MODE: 'development' });

test('an attachment as allowed by default', () => {
  expect(() => checkAttachment(file, rules)).not.toThrow();
  expect(() => checkAttachment({ ...file, mime: 'image/png' }, rules)).not.toThrow();
});

test.each([
  ['http', { url: 'http://files.example/1' }],
  ['script', { url: 'javascript:alert(1)' }],
  ['data', { url: 'data:text/html,<script>' }],
  ['no URL', { url: 'files/1' }],
  ['a password', { url: 'https://ann:secret@files.example/1' }],
  ['an image that holds scripts', { mime: 'image/svg+xml' }],
  ['HTML', { mime: 'text/html' }],
  ['too large', { size: 26 * 1024 * 1024 }],
])('refused: %s', (_, change) => {
  expect(() => checkAttachment({ ...file, ...change }, rules)).toThrow(
    expect.objectContaining({ code: 'attachment_refused' }) as Error,
  );
});

test('what an operator allows besides', () => {
  const more = readConfig({
    STREAMGATE_MODE: 'development',
    STREAMGATE_CHAT_ATTACHMENT_SCHEMES: 'https,s3',
    STREAMGATE_CHAT_ATTACHMENT_TYPES: 'audio/*',
  });
  const sound = { ...file, url: 's3://bucket/1', mime: 'audio/ogg' };
  expect(() => checkAttachment(sound, more)).not.toThrow();
  expect(() => checkAttachment({ ...sound, mime: 'audiobook/x' }, more)).toThrow();
  expect(() => checkAttachment(file, more)).toThrow();
});

test('a rate is of a user, and says when to come back', () => {
  const rate = new Rate(1, 2);
  rate.take('ann');
  rate.take('ann');
  const refused = expect.objectContaining({
    code: 'rate_limited',
    retryAfterMs: expect.closeTo(1000, -2) as number,
  }) as Error;
  expect(() => rate.take('ann')).toThrow(refused);
  expect(() => rate.take('ann')).toThrow(refused);
  expect(() => rate.take('bob')).not.toThrow();
});

test('only so many have their turn at once, in the order in which they came', async () => {
  const turns = new Turns(2);
  const began: number[] = [];
  const open: ((value: string | Promise<never>) => void)[] = [];
  const take = (index: number) =>
    turns.take(() => {
      began.push(index);
      return new Promise<string>((resolve) => open.push(resolve));
    });
  const taken = [0, 1, 2, 3].map(take);
  expect(began).toEqual([0, 1]);
  open[1]!(Promise.reject(new Error('away')));
  await expect(taken[1]).rejects.toThrow('away');
  await expect.poll(() => began).toEqual([0, 1, 2]);
  for (const [index, end] of open.entries()) if (index !== 1) end('done');
  await expect.poll(() => began).toEqual([0, 1, 2, 3]);
  open[3]!('done');
  expect(await Promise.all([taken[0], taken[2], taken[3]])).toEqual(['done', 'done', 'done']);
});
