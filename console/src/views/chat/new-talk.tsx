import { useSignal } from '@preact/signals';
import { chatState, told } from '../../chat/chat.js';
import { begin } from '../../chat/say.js';

/** Begins a conversation with one other, or a group. */
export function NewTalk() {
  const members = useSignal('');
  const title = useSignal('');

  async function submit(): Promise<void> {
    await begin(members.value.split(/[\s,]+/).filter(Boolean), title.value.trim());
    members.value = '';
    title.value = '';
  }

  return (
    <section class="card" aria-labelledby="new-talk">
      <h2 id="new-talk">New conversation</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void told(submit);
        }}
      >
        <label>
          With
          <input
            required
            pattern=".*[^\s,].*"
            placeholder="bob; or bob, carol"
            autocomplete="off"
            value={members}
            onInput={({ currentTarget }) => (members.value = currentTarget.value)}
          />
        </label>
        <label>
          <span>
            Title <small>makes it a group</small>
          </span>
          <input
            maxLength={200}
            autocomplete="off"
            value={title}
            onInput={({ currentTarget }) => (title.value = currentTarget.value)}
          />
        </label>
        <div class="actions">
          <button disabled={chatState.value !== 'open'}>Begin</button>
        </div>
      </form>
    </section>
  );
}
