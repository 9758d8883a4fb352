import { signal } from '@preact/signals';

/** The parts of the page, by the hash of its address. */
export const VIEWS = { events: 'Events', chat: 'Chat' } as const;
export type View = keyof typeof VIEWS;

export const view = signal<View>(viewOf(location.hash));

addEventListener('hashchange', () => (view.value = viewOf(location.hash)));

function viewOf(hash: string): View {
  const name = hash.slice(1);
  return name in VIEWS ? (name as View) : 'events';
}
