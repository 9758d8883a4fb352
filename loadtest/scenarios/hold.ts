/** People who are connected and silent: what a session costs its node. */
import { begun, ended } from './acts.ts';
import { disperse, gather, Person } from './crowd.ts';
import { measures, watchDelay } from './measures.ts';
import { crowd } from './options.ts';

export const options = crowd(
  {
    load_not_connected: ['count==0'],
    load_not_back: ['count==0'],
    load_dropped: ['count==0'],
    load_connect: ['p(99)<1000'],
  },
  false,
);

export default async function (): Promise<void> {
  const stopWatching = watchDelay();
  const people = await gather((index) => new Person(index));
  measures.dropped.add(0);
  await ended(await begun());
  disperse(people);
  stopWatching();
}
