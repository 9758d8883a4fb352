import { chatProblem, chatState } from '../../chat/chat.js';
import { opened } from '../../chat/talks.js';
import { NewTalk } from './new-talk.js';
import { TalkList } from './talk-list.js';
import { TalkView } from './talk-view.js';

/** Conversations on the one side, the one that is shown on the other. */
export function ChatView() {
  const problem = chatProblem.value;
  return (
    <>
      {problem && (
        <div class="notice" role="alert">
          <p>
            <strong>{problem.text}</strong>
          </p>
          {problem.code === 'chat_disabled' && (
            <p>
              Set <code>STREAMGATE_DATABASE_URL</code>, or <code>STREAMGATE_CHAT=on</code> on a
              single node.
            </p>
          )}
        </div>
      )}
      {chatState.value !== 'refused' && (
        <div class={opened.value ? 'columns talks talking' : 'columns talks'}>
          <div class="side">
            <TalkList />
            <NewTalk />
          </div>
          {opened.value ? (
            <TalkView key={opened.value.summary.id} talk={opened.value} />
          ) : (
            <section class="card none" aria-label="Conversation">
              <p class="hint">Choose a conversation, or begin one.</p>
            </section>
          )}
        </div>
      )}
    </>
  );
}
