import http from 'k6/http';
import { cancel, every } from '../lib/timers.ts';
import { begun, ended, planned, settled } from './acts.ts';
import { disperse, gather, Person } from './crowd.ts';
import { Ledger } from './ledger.ts';
import { account, arrival, measures, watchDelay } from './measures.ts';
import { serviceToken, settings, urlOf, userOf } from './settings.ts';

/** As services write it; `../run/writer.ts` has the same. */
interface Numbered {
  readonly n: number;
  readonly at: number;
  readonly step: number;
}

const STEPS = settings.rates.map((_, step) => ({ step: String(step) }));

class Listener extends Person {
  readonly ledger = new Ledger();

  constructor(index: number, leavesWhenDropped: boolean) {
    super(index);
    this.socket.on('numbered', ({ n, at, step }: Numbered) => {
      measures.delivery.add(arrival(this.socket, at), STEPS[step]);
      this.ledger.take(n);
    });
    if (leavesWhenDropped) this.socket.on('disconnect', () => this.leave());
  }

  /** @param sent to all people, in turn */
  owed(sent: number): number {
    return Math.ceil(Math.max(0, sent - this.index) / settings.sessions);
  }
}

/**
 * People who are sent numbered events, each its own, by services outside of them. What is lost, doubled and out
 * of order is counted, as is who loses its connection and when it is back.
 * @param leaves every so many-th person goes for good when its connection is lost; 0: nobody
 */
export async function listen(leaves = 0): Promise<void> {
  const stopWatching = watchDelay();
  const people = await gather(
    (index) => new Listener(index, leaves > 0 && index % leaves === leaves - 1),
  );
  measures.dropped.add(0);
  const sent = await ended(await begun());
  const staying = () => people.filter(({ stays }) => stays);
  await settled(() => staying().every((each) => each.isConnected && isComplete(each)));
  for (const person of staying()) account(person.ledger, person.owed(sent));
  disperse(people);
  stopWatching();

  function isComplete(person: Listener): boolean {
    return person.ledger.lost(person.owed(sent)) === 0;
  }
}

/** The REST door: all events of services, at the times at which they are due, whatever comes back. */
export async function send(): Promise<void> {
  const { rates, sessions, bytes } = settings;
  const headers = {
    authorization: `Bearer ${serviceToken()}`,
    'content-type': 'application/json',
  };
  const pad = 'x'.repeat(bytes);
  const answers: Promise<void>[] = [];
  let sent = 0;
  await new Promise<void>((resolve) => {
    const sending = every(1000 / rates[0]!, (at) => {
      const nth = sent++;
      const message = { n: Math.floor(nth / sessions), at, step: 0, pad };
      const body = JSON.stringify({ userId: userOf(nth % sessions), event: 'numbered', message });
      const url = `${urlOf(nth)}/api/gateway/send`;
      const asked = http.asyncRequest('POST', url, body, { headers, tags: { name: 'send' } });
      answers.push(asked.then(({ status }) => measures.refused.add(status === 200 ? 0 : 1)));
      if (sent < planned()) return;
      cancel(sending);
      resolve();
    });
  });
  await Promise.all(answers);
}
