import { useSignal } from '@preact/signals';
import type { ConversationMember, Message } from '@streamgate/protocol/chat';
import { told } from '../../chat/chat.js';
import { receiptText } from '../../chat/history.js';
import { edit, react, remove } from '../../chat/say.js';
import { me } from '../../chat/talks.js';

/** Offered on every message; every font has it. */
const REACTION = '♥';

interface MessageProps {
  readonly message: Message;
  readonly members: readonly ConversationMember[];
}

/** What somebody said, with what can be done about it. */
export function MessageRow({ message, members }: MessageProps) {
  const editing = useSignal(false);
  const { sender_id, content, created_at, updated_at, deleted_at, attachment } = message;
  const isOwn = String(sender_id) === me.value;
  const at = new Date(created_at);
  return (
    <li class={isOwn ? 'message own' : 'message'}>
      <small>
        <b>{isOwn ? 'you' : sender_id}</b>{' '}
        <time dateTime={created_at}>
          {at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })}
        </time>{' '}
        {updated_at !== created_at && !deleted_at && 'edited'}
      </small>
      {deleted_at ? (
        <p class="text hint">deleted</p>
      ) : editing.value ? (
        <EditForm
          content={content}
          onDone={(text) => {
            editing.value = false;
            if (text !== undefined && text !== content) void told(() => edit(message, text));
          }}
        />
      ) : (
        <>
          {content !== '' && <p class="text">{content}</p>}
          {attachment && (
            <p class="text hint">
              {attachment.name} ({attachment.mime}, {attachment.size} bytes): {attachment.url}
            </p>
          )}
        </>
      )}
      {!deleted_at && (
        <small class="below">
          <Reactions message={message} />
          {isOwn && !editing.value && (
            <>
              <button type="button" class="quiet" onClick={() => (editing.value = true)}>
                Edit
              </button>
              <button type="button" class="quiet" onClick={() => void told(() => remove(message))}>
                Delete
              </button>
            </>
          )}
          {isOwn && <span class="receipt">{receiptText(message, members, me.value)}</span>}
        </small>
      )}
    </li>
  );
}

function Reactions({ message }: { message: Message }) {
  const reactions = message.reactions ?? [];
  const shown = reactions.some(({ reaction }) => reaction === REACTION)
    ? reactions
    : [...reactions, { reaction: REACTION, user_ids: [] }];
  return (
    <>
      {shown.map(({ reaction, user_ids }) => {
        const isMine = user_ids.some((id) => String(id) === me.value);
        return (
          <button
            key={reaction}
            type="button"
            class="quiet"
            aria-pressed={isMine}
            title={user_ids.join(', ')}
            onClick={() => void told(() => react(message, reaction, !isMine))}
          >
            {reaction} {user_ids.length > 0 && user_ids.length}
          </button>
        );
      })}
    </>
  );
}

interface EditProps {
  readonly content: string;
  /** Without a text: nothing is changed. */
  readonly onDone: (text?: string) => void;
}

function EditForm({ content, onDone }: EditProps) {
  const text = useSignal(content);
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        onDone(text.value.trim());
      }}
    >
      <input
        required
        aria-label="New text"
        value={text}
        onInput={({ currentTarget }) => (text.value = currentTarget.value)}
        onKeyDown={({ key }) => key === 'Escape' && onDone()}
      />
      <button>Save</button>
      <button type="button" class="quiet" onClick={() => onDone()}>
        Cancel
      </button>
    </form>
  );
}
