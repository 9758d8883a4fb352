import { Counter, Rate, Trend } from 'k6/metrics';
import { cancel, every } from '../lib/timers.ts';
import type { Socket } from '../lib/socket.ts';
import type { Ledger } from './ledger.ts';

/** What scenarios measure; names are said in the report. */
export const measures = {
  /** From the beginning of a connect to the event `connect`. */
  connect: new Trend('load_connect', true),
  /** People who were not connected when the load began. */
  notConnected: new Counter('load_not_connected'),
  /** Connects that were refused or failed, tried again or not. */
  connectErrors: new Counter('load_connect_errors'),
  /** From the time at which an event should have been sent to its handler. */
  delivery: new Trend('load_delivery', true),
  sent: new Counter('load_sent'),
  received: new Counter('load_received'),
  lost: new Counter('load_lost'),
  doubled: new Counter('load_doubled'),
  outOfOrder: new Counter('load_out_of_order'),
  /** Answers that were errors, or did not come. */
  refused: new Counter('load_refused'),
  /** Connections that ended without having been asked to. */
  dropped: new Counter('load_dropped'),
  /** From that to being connected again. */
  back: new Trend('load_back', true),
  /** Of those, how many were told `recovered: true`. */
  recovered: new Rate('load_recovered'),
  /** People who were to be connected at the end and were not. */
  notBack: new Counter('load_not_back'),
  /** People whose account was taken at the end. */
  people: new Counter('load_people'),
  /** People who began, less those: of a VU that ended in the middle nothing else is counted. */
  unaccounted: new Counter('load_unaccounted'),
  /** How late timers of this client are: how far its numbers are its own fault. */
  clientDelay: new Trend('load_client_delay', true),
};

/** The clock has whole milliseconds: half of one is what it leaves out on average. */
export function since(at: number): number {
  return Math.max(0, Date.now() + 0.5 - at);
}

/**
 * From a time to that at which the frame of what is being handled came off the network: what this client
 * itself makes it wait for is measured apart, by `watchDelay`.
 */
export function arrival(socket: Socket, at: number): number {
  const received = socket.io.engine?.receivedAt;
  return received === undefined ? since(at) : Math.max(0, received - at);
}

/** Counts what became of what somebody was sent. */
export function account(ledger: Ledger, sent: number): void {
  measures.sent.add(sent);
  measures.received.add(ledger.received);
  measures.lost.add(ledger.lost(sent));
  measures.doubled.add(ledger.doubled);
  measures.outOfOrder.add(ledger.outOfOrder);
}

const EVERY_MS = 50;

/** Watches this VU's own event loop. @returns what ends it */
export function watchDelay(): () => void {
  const watch = every(EVERY_MS, (due) => measures.clientDelay.add(Math.max(0, Date.now() - due)));
  return () => cancel(watch);
}
