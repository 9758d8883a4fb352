import type { Mark } from '../../chat/marks.js';

/** Whether somebody is there, as colour and as a word. */
export function MarkDot({ mark }: { mark: Mark | undefined }) {
  if (!mark) return null;
  return (
    <span class={`mark ${mark}`} title={mark}>
      <span class="unseen">{mark}</span>
    </span>
  );
}
