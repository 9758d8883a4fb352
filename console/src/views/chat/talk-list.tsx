import { chatState, told } from '../../chat/chat.js';
import { markOf, statusOf } from '../../chat/marks.js';
import { openTalk, setStatus } from '../../chat/say.js';
import { me, nameOf, openedId, ordered, type Talk } from '../../chat/talks.js';
import { MarkDot } from './mark-dot.js';

const STATUSES = ['online', 'away', 'busy'];

/** The conversations of the user, with what is unread, and how the user is. */
export function TalkList() {
  return (
    <section class="card" aria-labelledby="talks">
      <h2 id="talks">
        Conversations
        <select
          class="small"
          aria-label="My status"
          disabled={chatState.value !== 'open'}
          value={statusOf(me.value)}
          onChange={({ currentTarget }) => void told(() => setStatus(currentTarget.value))}
        >
          {STATUSES.map((status) => (
            <option key={status}>{status}</option>
          ))}
        </select>
      </h2>
      {ordered.value.length === 0 ? (
        <p class="hint">None yet.</p>
      ) : (
        <ul class="talk-list" aria-label="My conversations">
          {ordered.value.map((talk) => (
            <li key={talk.summary.id}>
              <Row talk={talk} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Row({ talk }: { talk: Talk }) {
  const { id, peer_id, last_message, unread } = talk.summary;
  return (
    <button
      type="button"
      aria-current={openedId.value === id ? 'true' : undefined}
      onClick={() => void told(() => openTalk(id))}
    >
      <span class="top">
        {peer_id !== undefined && <MarkDot mark={markOf(String(peer_id))} />}
        <span class="name">{nameOf(talk)}</span>
        {unread > 0 && (
          <span class="unread">
            {unread}
            <span class="unseen"> unread</span>
          </span>
        )}
      </span>
      {last_message && (
        <small>
          {String(last_message.sender_id) === me.value ? 'you' : last_message.sender_id}:{' '}
          {last_message.deleted_at ? 'deleted' : last_message.content}
        </small>
      )}
    </button>
  );
}
