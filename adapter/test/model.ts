import { once } from 'node:events';
import * as fc from 'fast-check';
import { until } from './candidates.ts';
import { Client, type Node } from './cluster.ts';
import { HeldAnswers, HeldReads } from './held-reads.ts';

/**
 * What an adapter is to do, said as simply as can be: a session that is in a room when an event is
 * published to it is owed that event, once and in the order of publishing, whether it is connected or
 * on its way back, and whatever became of its node. The commands do to real servers and clients what
 * they do to the model.
 */

/** Events published at the same time: their order is open, but one for all sessions. */
export type Group = number[];

interface ModelSession {
  /** Index of its node; undefined while it is away. */
  at: number | undefined;
  rooms: Set<string>;
  owed: Group[];
}

export class Model {
  readonly sessions = new Map<number, ModelSession>();
  /** Of each event its lane: within one lane there is one order for all. */
  readonly lanes: number[] = [];
  private readonly laneOf: (rooms: readonly string[]) => number;
  /** Whether what a node has not read is done to its sessions: who is away joins, also when it is dead. */
  readonly movesAway: boolean;

  constructor(laneOf: (rooms: readonly string[]) => number, movesAway: boolean) {
    this.laneOf = laneOf;
    this.movesAway = movesAway;
  }

  /** @returns its number */
  event(rooms: readonly string[]): number {
    return this.lanes.push(this.laneOf(rooms)) - 1;
  }

  connected(session: number): ModelSession | undefined {
    const found = this.sessions.get(session);
    return found?.at === undefined ? undefined : found;
  }
}

export interface Real {
  readonly nodes: Node[];
  readonly clients: Map<number, Client>;
  start(): Promise<Node>;
}

type Command = fc.AsyncCommand<Model, Real>;

class Connect implements Command {
  readonly session: number;
  readonly node: number;
  readonly rooms: string[];

  constructor(session: number, node: number, rooms: string[]) {
    [this.session, this.node, this.rooms] = [session, node, rooms];
  }

  check(model: Readonly<Model>): boolean {
    return !model.sessions.has(this.session);
  }

  async run(model: Model, real: Real): Promise<void> {
    await caughtUp(real, this.node);
    model.sessions.set(this.session, { at: this.node, rooms: new Set(this.rooms), owed: [] });
    real.clients.set(
      this.session,
      await Client.connect(real.nodes[this.node]!, { rooms: this.rooms }),
    );
  }

  toString = () => `${this.session} connects to node ${this.node}, rooms ${this.rooms.join('')}`;
}

/** Who joins may still receive what was published just before. */
async function caughtUp(real: Real, node: number): Promise<void> {
  await real.nodes[node]!.candidate.mailbox?.caughtUp();
}

class Join implements Command {
  readonly session: number;
  readonly room: string;

  constructor(session: number, room: string) {
    [this.session, this.room] = [session, room];
  }

  check(model: Readonly<Model>): boolean {
    return model.connected(this.session) !== undefined;
  }

  async run(model: Model, real: Real): Promise<void> {
    const session = model.connected(this.session)!;
    await caughtUp(real, session.at!);
    await real.clients.get(this.session)!.join(this.room);
    session.rooms.add(this.room);
  }

  toString = () => `${this.session} joins ${this.room}`;
}

class Leave implements Command {
  readonly session: number;
  readonly room: string;

  constructor(session: number, room: string) {
    [this.session, this.room] = [session, room];
  }

  check(model: Readonly<Model>): boolean {
    return model.connected(this.session)?.rooms.has(this.room) === true;
  }

  async run(model: Model, real: Real): Promise<void> {
    const client = real.clients.get(this.session)!;
    const { at, owed, rooms } = model.connected(this.session)!;
    await caughtUp(real, at!);
    // Who leaves at once misses what is still on its way to the room, and that is nobody's fault.
    await until(() => client.said.length >= owed.flat().length);
    await client.leave(this.room);
    rooms.delete(this.room);
  }

  toString = () => `${this.session} leaves ${this.room}`;
}

/**
 * Sessions of a room are made to join or leave another. Who leaves while it is away is not given what it
 * missed there.
 */
class Relocate implements Command {
  readonly node: number;
  readonly of: string;
  readonly room: string;
  readonly joins: boolean;

  constructor(node: number, of: string, room: string, joins: boolean) {
    [this.node, this.of, this.room, this.joins] = [node, of, room, joins];
  }

  check(model: Readonly<Model>): boolean {
    if (model.movesAway && this.joins) return true;
    return [...model.sessions.values()].every(({ at }) => at !== undefined);
  }

  async run(model: Model, real: Real): Promise<void> {
    for (const [number, { at, owed }] of model.sessions)
      if (at !== undefined)
        await until(() => real.clients.get(number)!.said.length >= owed.flat().length);
    const { adapter } = real.nodes[this.node]!.io.of('/');
    const to = { rooms: new Set([this.of]), except: new Set<string>(), flags: {} };
    await (this.joins
      ? (adapter.addSockets(to, [this.room]) as unknown)
      : (adapter.delSockets(to, [this.room]) as unknown));
    // With several shards the sessions of a node that dies before it has read of it start anew.
    if (!model.movesAway) for (const index of real.nodes.keys()) await caughtUp(real, index);
    for (const { rooms } of model.sessions.values())
      if (rooms.has(this.of) && this.joins) rooms.add(this.room);
      else if (rooms.has(this.of)) rooms.delete(this.room);
  }

  toString = () =>
    `node ${this.node} makes ${this.of} ${this.joins ? 'join' : 'leave'} ${this.room}`;
}

interface Writing {
  node: number;
  /** Empty: everyone. */
  rooms: string[];
  count: number;
}

class Publish implements Command {
  readonly writings: Writing[];

  constructor(writings: Writing[]) {
    this.writings = writings;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    const groups = new Map<ModelSession, Group>();
    const accepted: Promise<void>[] = [];
    for (const { node, rooms, count } of this.writings)
      for (let nth = 0; nth < count; nth++) {
        const event = model.event(rooms);
        for (const session of model.sessions.values()) {
          if (rooms.length > 0 && !rooms.some((room) => session.rooms.has(room))) continue;
          const group = groups.get(session);
          if (group) group.push(event);
          else groups.set(session, [event]);
        }
        accepted.push(real.nodes[node]!.publish(rooms, 'event', event, 0));
      }
    for (const [session, group] of groups) session.owed.push(group);
    await Promise.all(accepted);
  }

  toString = () =>
    this.writings
      .map(
        ({ node, rooms, count }) => `node ${node} publishes ${count} to ${rooms.join('') || '*'}`,
      )
      .join(' while ');
}

/** Redis takes an event, but the connection ends before the node hears of it. */
class PublishUnheard implements Command {
  readonly node: number;
  readonly room: string;

  constructor(node: number, room: string) {
    [this.node, this.room] = [node, room];
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    const node = real.nodes[this.node]!;
    const { candidate } = node;
    await caughtUp(real, this.node);
    const event = model.event([this.room]);
    for (const session of model.sessions.values())
      if (session.rooms.has(this.room)) session.owed.push([event]);
    const [reads, answers] = [new HeldReads(node), new HeldAnswers(node)];
    const published = node.publish([this.room], 'event', event, 0).catch((refusal: unknown) => {
      candidate.locally(node.io, [this.room], ['event', event, 0], refusal);
    });
    await until(() => answers.waiting === 1);
    // Each is noticed by itself: until then the node still counts on it.
    const connected = candidate.connections.filter(({ status }) => status === 'ready');
    const lost = connected.map((redis) => once(redis, 'close'));
    for (const redis of connected) redis.disconnect(true);
    await published;
    await Promise.all(lost);
    answers.letAll();
    reads.letAll();
    await until(() => candidate.mailbox!.health.up);
  }

  toString = () => `node ${this.node} publishes to ${this.room} and does not hear the answer`;
}

class Lose implements Command {
  readonly session: number;
  readonly noticed: boolean;

  constructor(session: number, noticed: boolean) {
    [this.session, this.noticed] = [session, noticed];
  }

  check(model: Readonly<Model>): boolean {
    return model.connected(this.session) !== undefined;
  }

  async run(model: Model, real: Real): Promise<void> {
    const session = model.connected(this.session)!;
    await real.clients.get(this.session)!.lose(this.noticed ? real.nodes[session.at!] : undefined);
    session.at = undefined;
  }

  toString = () => `${this.session} is lost${this.noticed ? '' : ' unnoticed'}`;
}

class ComeBack implements Command {
  readonly session: number;
  readonly node: number;

  constructor(session: number, node: number) {
    [this.session, this.node] = [session, node];
  }

  check(model: Readonly<Model>): boolean {
    return model.sessions.has(this.session) && model.connected(this.session) === undefined;
  }

  async run(model: Model, real: Real): Promise<void> {
    await comeBack(model, real, this.session, this.node);
  }

  toString = () => `${this.session} comes back to node ${this.node}`;
}

async function comeBack(model: Model, real: Real, session: number, node: number): Promise<void> {
  model.sessions.get(session)!.at = node;
  const refusals = refusalsOf(real.nodes[node]!);
  const before = refusals.length;
  const began = performance.now();
  if (await real.clients.get(session)!.comeBack(real.nodes[node]!)) return;
  const because = refusals.slice(before).join();
  const ms = Math.round(performance.now() - began);
  throw new Error(`${session} was told recovered: false (${because}) after ${ms} ms`);
}

const refusals = new WeakMap<Node, string[]>();

/** Why the node did not continue sessions, since it was first asked for. */
function refusalsOf(node: Node): string[] {
  let reasons = refusals.get(node);
  if (!reasons) {
    const known: string[] = [];
    node.candidate.mailbox?.on('unrecovered', (why) => known.push(why));
    refusals.set(node, (reasons = known));
  }
  return reasons;
}

class Quit implements Command {
  readonly session: number;

  constructor(session: number) {
    this.session = session;
  }

  check(model: Readonly<Model>): boolean {
    return model.connected(this.session) !== undefined;
  }

  async run(model: Model, real: Real): Promise<void> {
    const { at } = model.connected(this.session)!;
    const client = real.clients.get(this.session)!;
    verify(model, real, this.session, false);
    const { id } = client;
    client.close();
    await until(() => !real.nodes[at!]!.io.of('/').sockets.has(id));
    real.clients.delete(this.session);
    model.sessions.delete(this.session);
  }

  toString = () => `${this.session} quits`;
}

class Kill implements Command {
  readonly node: number;

  constructor(node: number) {
    this.node = node;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    await real.nodes[this.node]!.kill();
    for (const [number, session] of model.sessions)
      if (session.at === this.node) {
        await until(() => real.clients.get(number)!.socket.disconnected);
        session.at = undefined;
      }
    real.nodes[this.node] = await real.start();
  }

  toString = () => `node ${this.node} is killed`;
}

/**
 * @param plain without what Socket.IO's memory cannot do: losing a node, or keeping from a session that
 *   comes back what was said in a room before it joined
 */
export function commands(nodes: number, plain: boolean): fc.Arbitrary<Iterable<Command>> {
  const node = fc.nat(nodes - 1);
  const session = fc.nat(4);
  const room = fc.constantFrom('a', 'b', 'c');
  const rooms = fc.uniqueArray(room, { maxLength: 2 });
  const writing = fc.record({ node, rooms, count: fc.integer({ min: 1, max: 3 }) });
  const joins = fc.tuple(session, room).map((args) => new Join(...args));
  const publish = fc
    .array(writing, { minLength: 1, maxLength: 2 })
    .map((writings) => new Publish(writings));
  return fc.commands(
    [
      fc.tuple(session, node, rooms).map((args) => new Connect(...args)),
      fc.tuple(session, node, rooms).map((args) => new Connect(...args)),
      fc.tuple(session, room).map((args) => new Leave(...args)),
      publish,
      publish,
      ...Array.from({ length: 3 }, () => [
        fc.tuple(session, fc.boolean()).map((args) => new Lose(...args)),
        fc.tuple(session, node).map((args) => new ComeBack(...args)),
      ]).flat(),
      session.map((one) => new Quit(one)),
      fc
        .tuple(node, room, room, plain ? fc.constant(false) : fc.boolean())
        .map((args) => new Relocate(...args)),
      ...(plain
        ? []
        : [
            node.map((one) => new Kill(one)),
            fc.tuple(node, room).map((args) => new PublishUnheard(...args)),
            joins,
          ]),
    ],
    { maxCommands: 40, size: 'max' },
  );
}

/** Brings everybody back and checks what each has received. @throws Error when that is not right */
export async function conclude(model: Model, real: Real): Promise<void> {
  for (const [session, { at }] of model.sessions)
    if (at === undefined) await comeBack(model, real, session, session % real.nodes.length);
  await real.nodes[0]!.publish([], 'event', -1, 0);
  for (const [session, client] of real.clients)
    await until(() => client.said.includes(-1), 5000).catch(() => {
      throw new Error(`${session} never heard the end`);
    });
  await until(() => [...model.sessions].every(([session, { owed }]) => heardAll(session, owed)));
  const orders = [...model.sessions.keys()].flatMap((session) =>
    verify(model, real, session, true),
  );
  agree(orders);

  function heardAll(session: number, owed: Group[]): boolean {
    return real.clients.get(session)!.said.length > owed.flat().length;
  }
}

/** @returns for each lane the events in the order in which the session received them */
function verify(model: Model, real: Real, number: number, atEnd: boolean): number[][] {
  const all = real.clients.get(number)!.said as number[];
  if (atEnd && all.filter((event) => event === -1).length !== 1)
    throw new Error(`${number} received ${all.join(' ')}`);
  const lanes = new Set(model.lanes);
  return Array.from(lanes, (lane) => {
    const isIn = (event: number) => model.lanes[event] === lane;
    const owed = model.sessions.get(number)!.owed.map((group) => group.filter(isIn));
    return verifyLane(number, all.filter(isIn), owed, atEnd);
  });
}

function verifyLane(number: number, received: number[], owed: Group[], atEnd: boolean): number[] {
  let at = 0;
  for (const group of owed) {
    const part = received.slice(at, at + group.length);
    at += part.length;
    const isWhole = part.length === group.length;
    // Who quits may leave before the last have come.
    if (!atEnd && !isWhole) break;
    if (!sameEvents(part, group))
      throw new Error(`${number} was owed ${text(owed)} and received ${received.join(' ')}`);
  }
  if (atEnd && at !== received.length)
    throw new Error(`${number} was owed ${text(owed)} and received ${received.join(' ')}`);
  return received;
}

const text = (owed: Group[]) => owed.map((group) => group.join('|')).join(' ');
const sameEvents = (one: number[], other: number[]) =>
  [...one].sort((a, b) => a - b).join() === [...other].sort((a, b) => a - b).join();

/** No two sessions may have received two events in different orders. */
function agree(orders: number[][]): void {
  const places = orders.map((order) => new Map(order.map((event, place) => [event, place])));
  for (const order of orders)
    for (const other of places) {
      let last = -1;
      for (const event of order) {
        const place = other.get(event);
        if (place === undefined) continue;
        if (place < last)
          throw new Error(`two orders: ${order.join(' ')} / ${[...other.keys()].join(' ')}`);
        last = place;
      }
    }
}
