import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { told } from '../../chat/chat.js';
import { markOf } from '../../chat/marks.js';
import { addMember, leaveTalk, readOlder, say } from '../../chat/say.js';
import { me, nameOf, openedId, type Outgoing, type Talk } from '../../chat/talks.js';
import { Composer } from './composer.js';
import { MarkDot } from './mark-dot.js';
import { MessageRow } from './message-row.js';

/** One conversation: who is in it, what was said, and a place to say more. */
export function TalkView({ talk }: { talk: Talk }) {
  const { id, kind } = talk.summary;
  return (
    <section class="card talk" aria-labelledby="talk">
      <div class="talk-head">
        <button type="button" class="quiet back" onClick={() => (openedId.value = undefined)}>
          Back
        </button>
        <h2 id="talk">{nameOf(talk)}</h2>
        <ul class="members" aria-label="Members">
          {talk.members.map(({ user_id }) => (
            <li key={user_id}>
              <MarkDot mark={markOf(String(user_id))} />
              {String(user_id) === me.value ? 'you' : user_id}
            </li>
          ))}
        </ul>
        {kind === 'group' && <GroupActions id={id} />}
      </div>
      <Messages talk={talk} />
      <p class="typing hint" role="status">
        {talk.typing.length > 0 &&
          `${talk.typing.join(', ')} ${talk.typing.length === 1 ? 'is' : 'are'} typing`}
      </p>
      <Composer id={id} />
    </section>
  );
}

function GroupActions({ id }: { id: number }) {
  const user = useSignal('');
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        void told(async () => {
          await addMember(id, user.value.trim());
          user.value = '';
        });
      }}
    >
      <input
        required
        aria-label="User to add"
        placeholder="carol"
        autocomplete="off"
        value={user}
        onInput={({ currentTarget }) => (user.value = currentTarget.value)}
      />
      <button>Add</button>
      <button type="button" onClick={() => void told(() => leaveTalk(id, me.value))}>
        Leave
      </button>
    </form>
  );
}

/** So near the end of the messages counts as at it. */
const END_PX = 40;

function Messages({ talk }: { talk: Talk }) {
  const { messages, outbox, older, members, summary } = talk;
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const last = messages.at(-1)?.seq;
  // What is new is in sight, unless somebody reads further back and has said nothing.
  useLayoutEffect(() => {
    const element = box.current;
    if (element && (atEnd.current || outbox.length > 0)) element.scrollTop = element.scrollHeight;
  }, [last, outbox.length, talk.loaded]);
  return (
    <div
      class="messages"
      ref={box}
      tabIndex={0}
      role="log"
      aria-label="Messages"
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) =>
        (atEnd.current = scrollHeight - scrollTop - clientHeight < END_PX)
      }
    >
      {older !== undefined && (
        <button type="button" class="quiet" onClick={() => void told(() => readOlder(summary.id))}>
          Show older
        </button>
      )}
      {talk.loaded && messages.length === 0 && <p class="hint">Nothing was said yet.</p>}
      <ol>
        {messages.map((message) => (
          <MessageRow key={message.id} message={message} members={members} />
        ))}
        {outbox.map((outgoing) => (
          <Waiting key={outgoing.clientId} id={summary.id} outgoing={outgoing} />
        ))}
      </ol>
    </div>
  );
}

function Waiting({ id, outgoing }: { id: number; outgoing: Outgoing }) {
  const { clientId, content, failure } = outgoing;
  return (
    <li class="message own waiting">
      <p class="text">{content}</p>
      {failure === undefined ? (
        <small>sending</small>
      ) : (
        <small class="failed">
          Not sent: {failure}{' '}
          <button type="button" class="quiet" onClick={() => void say(id, content, clientId)}>
            Try again
          </button>
        </small>
      )}
    </li>
  );
}
