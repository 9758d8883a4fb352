import { computed, signal } from '@preact/signals';

/** `note`: what the page itself has to say, such as a lost connection. */
export type Way = 'in' | 'out' | 'answer' | 'note';

/** A line of the log. */
export interface Entry {
  readonly id: number;
  readonly at: Date;
  readonly way: Way;
  readonly namespace: string;
  /** Name of the event; of a note its text. */
  readonly event: string;
  readonly payload: unknown;
  /** Of an answer: it says why not. */
  readonly failed: boolean;
  /** Of an answer: milliseconds since it was asked for. */
  readonly afterMs: number | undefined;
}

/** Older entries are dropped. */
const KEPT = 1000;

/** Newest first, as they came. */
const entries = signal<readonly Entry[]>([]);
/** While paused, what is shown stays as it was. */
const frozen = signal<readonly Entry[]>();

export const filterText = signal('');
export const filterWay = signal<Way | 'all'>('all');
export const paused = computed(() => frozen.value !== undefined);
/** Entries that came since the pause. */
export const waiting = computed(() => {
  const since = frozen.value?.[0]?.id ?? 0;
  return frozen.value ? entries.value.filter(({ id }) => id > since).length : 0;
});

/** What is shown. */
export const shown = computed(() => {
  const text = filterText.value.trim().toLowerCase();
  const way = filterWay.value;
  return (frozen.value ?? entries.value).filter(
    (entry) =>
      (way === 'all' || entry.way === way) && (text === '' || textOf(entry).includes(text)),
  );
});

let lastId = 0;

export function record(
  way: Way,
  namespace: string,
  event: string,
  payload: unknown,
  { failed = false, afterMs }: { failed?: boolean; afterMs?: number } = {},
): void {
  const entry = { id: ++lastId, at: new Date(), way, namespace, event, payload, failed, afterMs };
  entries.value = [entry, ...entries.value.slice(0, KEPT - 1)];
}

export function note(text: string, detail?: unknown): void {
  record('note', '', text, detail);
}

export function togglePause(): void {
  frozen.value = frozen.value ? undefined : entries.value;
}

export function clearLog(): void {
  entries.value = [];
  if (frozen.value) frozen.value = [];
}

/** An entry for the clipboard: one line of JSON. */
export function lineOf({ at, way, namespace, event, payload }: Entry): string {
  return JSON.stringify({ at: at.toISOString(), way, namespace, event, payload });
}

const texts = new WeakMap<Entry, string>();

/** What the filter looks into. */
function textOf(entry: Entry): string {
  let text = texts.get(entry);
  if (text === undefined) {
    text = `${entry.event} ${JSON.stringify(entry.payload) ?? ''}`.toLowerCase();
    texts.set(entry, text);
  }
  return text;
}
