import type { ConversationMember, Message } from '@streamgate/protocol/chat';
import { describe, expect, test } from 'vitest';
import { marked, merged, reacted, receiptText } from './history.ts';

const TIME = '2026-11-21T09:30:00.000Z';

function message(seq: number, content = String(seq), updated_at = TIME): Message {
  return {
    id: seq,
    conversation_id: 1,
    sender_id: 'alice',
    message_type: 'text',
    content,
    seq,
    created_at: TIME,
    updated_at,
  };
}

function member(user_id: string | number, read: number, delivered = read): ConversationMember {
  return {
    user_id,
    role: 'member',
    joined_at: TIME,
    last_read_seq: read,
    last_delivered_seq: delivered,
  };
}

describe('merged', () => {
  test('puts what was missed between what is known', () => {
    const all = merged([message(1), message(4)], [message(3), message(2), message(4)]);
    expect(all.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  });

  test('keeps the newer state, in whichever order the two come', () => {
    const edited = message(1, 'edited', '2026-11-21T09:31:00.000Z');
    expect(merged([message(1)], [edited])).toEqual([edited]);
    expect(merged([edited], [message(1)])).toEqual([edited]);
  });
});

test.each<[string, ConversationMember[]]>([
  ['sent', [member('alice', 9), member('bob', 2)]],
  ['delivered', [member('alice', 9), member('bob', 2, 3)]],
  ['read', [member('alice', 9), member('bob', 3)]],
  ['sent', [member('alice', 9), member('bob', 2, 3), member(7, 1)]],
  ['read by 7', [member('alice', 9), member('bob', 2, 3), member(7, 5)]],
  ['read by all', [member('alice', 9), member('bob', 3), member(7, 5)]],
  ['sent', [member('alice', 9)]],
])('%s', (text, members) => {
  expect(receiptText(message(3), members, 'alice')).toBe(text);
});

test('marks never go back', () => {
  const members = [member(7, 3), member('bob', 1)];
  expect(marked(members, '7', 'last_read_seq', 5)[0]).toMatchObject({ last_read_seq: 5 });
  expect(marked(members, '7', 'last_read_seq', 2)[0]).toMatchObject({ last_read_seq: 3 });
});

test('reactions come and go', () => {
  const one = reacted(message(1), '👍', 7, true);
  const two = reacted(one, '👍', 'bob', true);
  expect(two.reactions).toEqual([{ reaction: '👍', user_ids: [7, 'bob'] }]);
  expect(reacted(two, '👍', 'bob', true).reactions).toEqual(two.reactions);
  expect(reacted(reacted(two, '👍', '7', false), '👍', 'bob', false).reactions).toEqual([]);
});
