import { PacketType } from 'socket.io-parser';
import { describe, expect, it } from 'vitest';
import {
  KIND,
  decode,
  decodePacket,
  decodeValue,
  encode,
  encodePacket,
  encodeValue,
  messagesOf,
} from './message.js';

describe('a message', () => {
  it('comes back as it was, without the bracket behind which the offset goes', () => {
    const draft = {
      kind: KIND.event,
      volatile: true,
      compress: false,
      takesOffset: true,
      namespace: '/chat',
      rooms: new Set(['room', 'räume 🏠', '']),
      except: ['other'],
      text: '2/chat,["news",1]',
    };
    const message = decode(encode(draft, 17_000_000_000_000, 42));
    expect(message).toMatchObject({
      kind: KIND.event,
      volatile: true,
      compress: false,
      takesOffset: true,
      route: { namespace: '/chat', rooms: ['room', 'räume 🏠', ''], except: ['other'] },
      publisher: 17_000_000_000_000,
      number: 42,
    });
    expect(message.text.toString()).toBe('2/chat,["news",1');
  });

  it('may have a context, behind the tag if it has one', () => {
    const draft = { kind: KIND.event, namespace: '/', text: '2["news"]', context: 'stream;größer' };
    expect(decode(encode(draft, 1, 1))).toMatchObject({ context: 'stream;größer', tag: undefined });
    const both = decode(encode({ ...draft, tag: 'a/1-0' }, 1, 1));
    expect(both).toMatchObject({ context: 'stream;größer', tag: 'a/1-0' });
    expect(both.text.toString()).toBe('2["news"]');
    expect(decode(encode({ ...draft, context: undefined } as never, 1, 1)).context).toBeUndefined();
  });

  it('may have a tag, behind all that nodes of the release before read', () => {
    const draft = { kind: KIND.event, namespace: '/', text: '2["news"]', tag: 'größer/1-0' };
    const bytes = encode(draft, 1, 2);
    expect(decode(bytes)).toMatchObject({ tag: 'größer/1-0' });
    const { tag, ...without } = draft;
    const plain = encode(without, 1, 2);
    expect(decode(plain).tag).toBeUndefined();
    expect(bytes.subarray(6, plain.length)).toEqual(plain.subarray(6));
    expect(bytes.length).toBe(plain.length + 4 + Buffer.byteLength(tag));
  });

  it('carries binary parts, of events and of values', () => {
    const data = ['file', { bytes: Buffer.from([1, 2]), more: new Uint8Array([3]).buffer }];
    const packet = encodePacket({ type: PacketType.EVENT, nsp: '/', data });
    const { text, attachments } = decode(
      encode({ kind: KIND.event, namespace: '/', ...packet }, 1, 1),
    );
    expect(decodePacket(text.toString(), attachments).data).toEqual([
      'file',
      { bytes: Buffer.from([1, 2]), more: Buffer.from([3]) },
    ]);
    const value = { type: 9, bytes: Buffer.alloc(20) };
    const draft = { kind: KIND.cluster, namespace: '/', ...encodeValue(value) };
    expect(decodeValue(decode(encode(draft, 1, 1)))).toEqual(value);
  });

  it('has the same route as another one for the same rooms', () => {
    const to = (rooms: string[], except: string[] = []) =>
      decode(encode({ kind: KIND.event, namespace: '/', rooms, except, text: '2["a"]' }, 1, 1))
        .route;
    expect(to(['a'])).toBe(to(['a']));
    expect(to(['a'])).not.toBe(to([], ['a']));
    expect(to(['a', 'b'])).not.toBe(to(['ab']));
  });

  it('stands behind others in a batch', () => {
    const write = (text: string) => encode({ kind: KIND.event, namespace: '/', text }, 1, 1);
    const batch = Buffer.concat([write('2["a"]'), write('2["bc"]')]);
    const texts = Array.from(messagesOf(batch), ({ text }) => text.toString());
    expect(texts).toEqual(['2["a"]', '2["bc"]']);
    expect(() => [...messagesOf(batch.subarray(0, -1))]).toThrow(RangeError);
    expect(() => [...messagesOf(Buffer.alloc(30))]).toThrow(RangeError);
  });
});
