import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { chatState } from '../../chat/chat.js';
import { say, setTyping } from '../../chat/say.js';

/** Typing ends by itself 5 s after it was said last, so it is said again before, in milliseconds. */
const SAY_AGAIN_MS = 3000;
/** As the protocol's limit for a message. */
const CONTENT_MAX = 10_000;

/** Says something: Enter sends, Shift+Enter begins a line. */
export function Composer({ id }: { id: number }) {
  const text = useSignal('');
  const saidTyping = useRef(0);

  function type(typed: string): void {
    text.value = typed;
    const now = performance.now();
    if (typed === '') stopTyping();
    else if (saidTyping.current === 0 || now - saidTyping.current > SAY_AGAIN_MS) {
      saidTyping.current = now;
      setTyping(id, true);
    }
  }

  function stopTyping(): void {
    if (saidTyping.current === 0) return;
    saidTyping.current = 0;
    setTyping(id, false);
  }

  function submit(event: Event): void {
    event.preventDefault();
    const content = text.value.trim();
    if (content === '' || chatState.value !== 'open') return;
    text.value = '';
    stopTyping();
    void say(id, content);
  }

  return (
    <form class="row composer" onSubmit={submit}>
      <textarea
        rows={1}
        maxLength={CONTENT_MAX}
        aria-label="Message"
        placeholder="Enter sends, Shift+Enter begins a new line"
        value={text}
        onInput={({ currentTarget }) => type(currentTarget.value)}
        onBlur={stopTyping}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) submit(event);
        }}
      />
      <button class="primary" disabled={chatState.value !== 'open'}>
        Send
      </button>
    </form>
  );
}
