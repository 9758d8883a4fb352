import type { ConversationMember, Message } from '@streamgate/protocol/chat';

/** Messages by their number, each once; one that arrives again is the newer state of it. */
export function merged(known: readonly Message[], arrived: readonly Message[]): Message[] {
  const bySeq = new Map(known.map((message) => [message.seq, message]));
  for (const message of arrived) {
    const before = bySeq.get(message.seq);
    if (!before || message.updated_at >= before.updated_at) bySeq.set(message.seq, message);
  }
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq);
}

/** Who of the others has a message of `me`: `sent`, `delivered`, or who has read it. */
export function receiptText(
  { seq }: Message,
  members: readonly ConversationMember[],
  me: string,
): string {
  const others = members.filter(({ user_id }) => String(user_id) !== me);
  const readers = others.filter(({ last_read_seq }) => last_read_seq >= seq);
  if (readers.length > 0) {
    if (readers.length === others.length) return others.length === 1 ? 'read' : 'read by all';
    return `read by ${readers.map(({ user_id }) => user_id).join(', ')}`;
  }
  const arrived = others.filter(({ last_delivered_seq }) => last_delivered_seq >= seq);
  return others.length > 0 && arrived.length === others.length ? 'delivered' : 'sent';
}

/** A member's marks after a receipt; they never go back. */
export function marked(
  members: readonly ConversationMember[],
  userId: string,
  mark: 'last_read_seq' | 'last_delivered_seq',
  seq: number,
): ConversationMember[] {
  return members.map((member) =>
    String(member.user_id) === userId && member[mark] < seq ? { ...member, [mark]: seq } : member,
  );
}

/** A message after somebody reacted, or took a reaction back. */
export function reacted(
  message: Message,
  reaction: string,
  userId: Message['sender_id'],
  on: boolean,
): Message {
  const before = message.reactions ?? [];
  const users = before.find((one) => one.reaction === reaction)?.user_ids ?? [];
  const others = users.filter((id) => String(id) !== String(userId));
  const changed = { reaction, user_ids: on ? [...others, userId] : others };
  const known = before.some((one) => one.reaction === reaction);
  const reactions = known
    ? before.map((one) => (one.reaction === reaction ? changed : one))
    : [...before, changed];
  return { ...message, reactions: reactions.filter(({ user_ids }) => user_ids.length > 0) };
}
