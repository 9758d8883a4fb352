import exec from 'k6/execution';
import { io, type Socket } from '../lib/socket.io.ts';
import { delay } from '../lib/timers.ts';
import { measures, since } from './measures.ts';
import { connectSeconds, settings, tokenOf, urlOf } from './settings.ts';

const TICK_MS = 50;

/** Somebody with one session, who comes back as socket.io-client does when it is lost. */
export class Person {
  readonly index: number;
  readonly socket: Socket;
  /** Wants to be connected. */
  stays = true;
  private readonly began = Date.now();
  private lostAt: number | undefined;
  private wasConnected = false;

  /** @param namespace as `/chat`; none: the main one */
  constructor(index: number, namespace = '') {
    this.index = index;
    const socket = (this.socket = io(urlOf(index) + namespace, {
      auth: { token: tokenOf(index) },
      query: { client: `p${index}` },
    }));
    socket.on('connect', () => this.connected());
    socket.on('disconnect', () => {
      if (!this.stays) return;
      this.lostAt = Date.now();
      measures.dropped.add(1);
    });
    socket.on('connect_error', () => measures.connectErrors.add(1));
  }

  get isConnected(): boolean {
    return this.wasConnected && this.socket.connected;
  }

  /** Has all that it needs before the load may begin. */
  get isReady(): boolean {
    return this.isConnected;
  }

  /** Is gone for good. */
  leave(): void {
    this.stays = false;
    this.socket.disconnect();
  }

  private connected(): void {
    if (!this.wasConnected) measures.connect.add(since(this.began));
    else if (this.lostAt !== undefined) {
      measures.back.add(since(this.lostAt));
      measures.recovered.add(this.socket.recovered);
    }
    this.lostAt = undefined;
    this.wasConnected = true;
  }
}

/**
 * Connects this VU's share of the people at a steady rate, whatever comes back, and waits until all are there
 * or have had their time.
 * @param create what makes of an index a person, with its listeners
 */
export async function gather<P extends Person>(create: (index: number) => P): Promise<P[]> {
  const { sessions, vus, connectsPerSecond } = settings;
  const people: P[] = [];
  const first = exec.scenario.iterationInTest % vus;
  const share = Math.ceil(Math.max(0, sessions - first) / vus);
  measures.unaccounted.add(share);
  const began = Date.now();
  while (people.length < share) {
    const due = Math.ceil((((Date.now() - began) / 1000) * connectsPerSecond) / vus);
    while (people.length < Math.min(share, due)) people.push(create(first + people.length * vus));
    await delay(TICK_MS);
  }
  const end = began + connectSeconds * 1000;
  while (people.some((person) => !person.isReady) && Date.now() < end) await delay(TICK_MS);
  measures.notConnected.add(people.filter((person) => !person.isReady).length);
  return people;
}

/** Everybody goes. Who should have been there and was not is counted. */
export function disperse(people: readonly Person[]): void {
  measures.notBack.add(people.filter((person) => person.stays && !person.isConnected).length);
  for (const person of people) person.leave();
  measures.people.add(people.length);
  measures.unaccounted.add(-people.length);
}
