import { send } from '../connection.js';
import { view } from '../view.js';
import { openedId, talks } from './talks.js';

/** Whoever looks at a conversation has read it. */
export function markRead(id: number): void {
  const last = talks.value.get(id)?.messages.at(-1);
  if (last && isSeen(id))
    void send('message-read', { conversation_id: id, message_id: last.id }, '/chat');
}

/** Whether a person has the conversation in sight. */
export function isSeen(id: number): boolean {
  return openedId.value === id && view.value === 'chat' && document.visibilityState === 'visible';
}

document.addEventListener('visibilitychange', () => {
  if (openedId.value !== undefined) markRead(openedId.value);
});
