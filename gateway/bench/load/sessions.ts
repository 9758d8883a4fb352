import type { WireClient } from './wire-client.js';

/** The open sessions of the load process, by the number of their group. */
const groups = new Map<number, WireClient[]>();
let nextGroup = 1;
let fail: (error: Error) => void = () => undefined;

export function addGroup(clients: WireClient[]): number {
  const group = nextGroup++;
  groups.set(group, clients);
  return group;
}

export function removeGroup(group: number): void {
  groups.delete(group);
}

/** @throws Error for an unknown group */
export function sessions(group: number): WireClient[] {
  const clients = groups.get(group);
  if (!clients) throw new Error(`no group ${group}`);
  return clients;
}

/** What a client calls whose connection ends: the operation under way fails. */
export function lost(error: Error): void {
  fail(error);
}

/**
 * A promise that gives up after two minutes, since a lost message must not hang the bench, and fails
 * when a connection ends.
 */
export function bounded(
  run: (resolve: () => void, reject: (error: Error) => void) => void,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  return new Promise<void>((resolve, reject) => {
    timer = setTimeout(() => reject(new Error('nothing more came for two minutes')), 120_000);
    fail = reject;
    run(resolve, reject);
  }).finally(() => clearTimeout(timer));
}

export const isAck = (packet: Buffer) => packet[0] === 0x33;
export const refused = (packet: Buffer) => new Error(`the server refused: ${packet.toString()}`);
