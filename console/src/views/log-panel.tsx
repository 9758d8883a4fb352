import { useSignal } from '@preact/signals';
import { copy } from '../clipboard.js';
import * as log from '../log.js';

/** So many entries are drawn; more only when asked for. */
const PAGE = 200;
const WAYS: readonly [log.Way | 'all', string][] = [
  ['all', 'Everything'],
  ['in', 'Received'],
  ['out', 'Sent'],
  ['answer', 'Answers'],
  ['note', 'Notes'],
];

/** All that was sent and received, newest first. */
export function LogPanel() {
  const drawn = useSignal(PAGE);
  const shown = log.shown.value;
  return (
    <section class="card log" aria-labelledby="log">
      <div class="row">
        <h2 id="log">Events</h2>
        <input
          type="search"
          aria-label="Filter events"
          placeholder="Filter by name or content"
          value={log.filterText}
          onInput={({ currentTarget }) => (log.filterText.value = currentTarget.value)}
        />
        <select
          aria-label="Direction"
          value={log.filterWay.value}
          onChange={({ currentTarget }) =>
            (log.filterWay.value = currentTarget.value as log.Way | 'all')
          }
        >
          {WAYS.map(([way, name]) => (
            <option key={way} value={way}>
              {name}
            </option>
          ))}
        </select>
        <button type="button" aria-pressed={log.paused.value} onClick={log.togglePause}>
          {log.paused.value ? `Resume (${log.waiting.value} new)` : 'Pause'}
        </button>
        <button
          type="button"
          onClick={() => void copy(shown.map(log.lineOf).toReversed().join('\n'))}
        >
          Copy all
        </button>
        <button type="button" onClick={log.clearLog}>
          Clear
        </button>
      </div>
      {shown.length === 0 && <p class="hint">Nothing yet, or nothing that fits the filter.</p>}
      <ol class="entries" aria-label="Events, newest first">
        {shown.slice(0, drawn.value).map((entry) => (
          <Row key={entry.id} entry={entry} />
        ))}
      </ol>
      {shown.length > drawn.value && (
        <button type="button" onClick={() => (drawn.value += PAGE)}>
          Show older
        </button>
      )}
    </section>
  );
}

const SIGNS: Record<log.Way, [sign: string, words: string]> = {
  in: ['↓', 'received'],
  out: ['↑', 'sent'],
  answer: ['↩', 'answer to'],
  note: ['•', 'note'],
};

function Row({ entry }: { entry: log.Entry }) {
  const { way, event, namespace, payload, failed, afterMs } = entry;
  const [sign, words] = SIGNS[way];
  const line = (
    <>
      <time dateTime={entry.at.toISOString()}>{timeOf(entry.at)}</time>
      <span class="sign">
        <span aria-hidden="true">{sign}</span>
        <span class="unseen">{words}</span>
      </span>
      <b>{event}</b>
      {namespace !== '' && namespace !== '/' && <small>{namespace}</small>}
      {afterMs !== undefined && <small>{afterMs.toFixed(afterMs < 10 ? 1 : 0)} ms</small>}
      <code>{previewOf(payload)}</code>
    </>
  );
  const classes = `entry ${way}${failed ? ' failed' : ''}`;
  if (payload === undefined) return <li class={classes}>{line}</li>;
  return (
    <li class={classes}>
      <details>
        <summary>{line}</summary>
        <div class="whole">
          <pre tabIndex={0} aria-label={`Payload of ${event}`}>
            {JSON.stringify(payload, null, 2)}
          </pre>
          <button type="button" class="quiet" onClick={() => void copy(log.lineOf(entry))}>
            Copy
          </button>
        </div>
      </details>
    </li>
  );
}

/** The beginning is enough for a line. */
const PREVIEW = 300;

function previewOf(payload: unknown): string {
  return payload === undefined ? '' : JSON.stringify(payload).slice(0, PREVIEW);
}

function timeOf(at: Date): string {
  return `${at.toLocaleTimeString('en-GB')}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}
