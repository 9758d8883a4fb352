import { Decoder as RealDecoder, Encoder as RealEncoder } from 'socket.io-parser';
import { describe, expect, it } from 'vitest';
import { decode, encode, type Frame, type Packet, type Partial } from '../lib/packet.ts';

const real = new RealEncoder();

/** What socket.io-parser makes of frames: packets, or the error that it throws. */
function realDecoded(frames: Frame[]): unknown {
  const decoder = new RealDecoder();
  const packets: unknown[] = [];
  decoder.on('decoded', (packet) => packets.push(packet));
  for (const frame of frames) decoder.add(frame);
  return packets;
}

function decoded(frames: Frame[]): Packet[] {
  let partial: Partial | undefined;
  return frames.flatMap((frame) => {
    const read = decode(frame, partial);
    partial = 'packet' in read ? read : undefined;
    return 'packet' in read ? [] : [read];
  });
}

const buffer = new Uint8Array([1, 2, 3]).buffer;

const packets: Packet[] = [
  { type: 0, nsp: '/' },
  { type: 0, nsp: '/', data: { token: 'x' } },
  { type: 0, nsp: '/admin/x', data: { sid: 'abc', pid: 'def' } },
  { type: 1, nsp: '/' },
  { type: 1, nsp: '/chat' },
  { type: 2, nsp: '/', data: ['a'] },
  { type: 2, nsp: '/', data: ['a', 1, 'b', null, { c: [true, 'ü\u2028😀'] }], id: 0 },
  { type: 2, nsp: '/chat', data: ['12[3]', '4,5'], id: 1234567 },
  { type: 2, nsp: '/', data: [1, 2] },
  { type: 3, nsp: '/', data: [], id: 3 },
  { type: 3, nsp: '/chat', data: [{ error: 'x' }], id: 30 },
  { type: 4, nsp: '/', data: { message: 'no', data: { code: 1 } } },
  { type: 4, nsp: '/chat', data: 'no' },
  { type: 2, nsp: '/', data: ['bytes', buffer] },
  { type: 2, nsp: '/chat', data: ['bytes', { deep: [buffer, { more: buffer }] }], id: 7 },
  { type: 3, nsp: '/', data: [buffer, 'text', buffer], id: 9 },
];

describe('packets', () => {
  it.each(packets.map((packet) => [JSON.stringify(packet), packet] as const))(
    'writes and reads %s as socket.io-parser does',
    (_name, packet) => {
      const frames = encode(structuredClone(packet));
      expect(frames).toEqual(real.encode(structuredClone(packet)));
      const [read] = decoded(frames);
      expect([read]).toEqual(realDecoded(frames));
      expect(read).toEqual(packet);
    },
  );

  it.each([
    '7["a"]',
    'x',
    '2{}',
    '2[',
    '2[null]',
    '2[{}]',
    '0[]',
    '0"x"',
    '0null',
    '1{}',
    '3{}',
    '4[]',
    '51["a"]',
    '5-["a"]',
    '50-["a"]',
    '5x-["a"]',
    '511-["a"]',
    '5',
    '2["connect"]',
    '2["newListener",1]',
  ])('refuses %j as socket.io-parser does', (frame) => {
    expect(() => realDecoded([frame])).toThrow();
    expect(() => decoded([frame])).toThrow();
  });

  it.each([
    ['bytes that nothing announced', [buffer]],
    ['text instead of bytes', ['51-["a",{"_placeholder":true,"num":0}]', '2["a"]']],
    ['a placeholder without bytes', ['51-["a",{"_placeholder":true,"num":5}]', buffer]],
    ['a placeholder without a number', ['51-["a",{"_placeholder":true}]', buffer]],
  ] as [string, Frame[]][])('refuses %s as socket.io-parser does', (_name, frames) => {
    expect(() => realDecoded(frames)).toThrow();
    expect(() => decoded(frames)).toThrow();
  });
});
