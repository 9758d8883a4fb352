import { begun, ended, settled } from './acts.ts';
import { disperse, gather, type Person } from './crowd.ts';
import { watchDelay } from './measures.ts';

/** Somebody who says something, and knows what it ought to hear. */
export interface Speaker extends Person {
  /** @param began when the load begins, in ms */
  speak(began: number): void;
  readonly isComplete: boolean;
  /** Counts what was lost, doubled and out of order. */
  account(): void;
}

/** All come, speak until the load ends, and are waited for until each has heard everything or had its time. */
export async function speakTogether(create: (index: number) => Speaker): Promise<void> {
  const stopWatching = watchDelay();
  const people = await gather(create);
  const began = await begun();
  for (const person of people) person.speak(began);
  await ended(began);
  await settled(() => people.every((person) => person.isConnected && person.isComplete));
  for (const person of people) person.account();
  disperse(people);
  stopWatching();
}
