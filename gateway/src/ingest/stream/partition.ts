import type { CommandInput } from '@streamgate/protocol/commands';
import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import { commandOfEntry, fieldOf } from '@streamgate/protocol/stream';
import { backoff } from '../../backplane/redis-options.js';
import { log, repeated } from '../../ops/log.js';
import { metrics } from '../../ops/metrics.js';
import type { Executor } from '../execute.js';
import { OutOfTurn } from '../ledger.js';
import type { Receipts } from '../receipts.js';
import { Chain, type Link } from './chain.js';
import type { Burial, DeadLetters } from './dead-letters.js';
import type { KeyMoves } from './key-moves.js';
import { BATCH_BYTES, type Entry, type PartitionReader } from './partition-reader.js';

export interface PartitionParts {
  readonly reader: PartitionReader;
  readonly moves: KeyMoves;
  readonly dead: DeadLetters;
  readonly executor: Pick<Executor, 'executeAll' | 'chains'>;
  readonly receipts: Receipts;
  readonly commandMaxBytes: number;
  /** Whether other nodes can be reached: a failure meanwhile is nobody's fault. */
  readonly isUp: () => boolean;
  /** Resolves when this node has delivered what was published before. */
  readonly caughtUp: () => Promise<void>;
  /** By how much Redis' clock is ahead of this node's, in ms. */
  readonly clockAhead: () => number;
}

/** Entries of one call; as many as the mailbox takes. */
const BATCH = 64;
/** Calls under way, where the ledger keeps their order. */
const CALLS = 6;
/** An entry that failed so often while all was well is given up. */
const ATTEMPTS_MAX = 8;
/** Batches after which the door waits for this node's own delivery of those before. */
const PACE = 16;
/** It does not wait longer than this many ms: what is to be delivered may be gone. */
const PACE_MS = 2000;
/** How often it is looked whether another partition has come far enough, in ms. */
const LOOK_MS = 10;

/**
 * Executes the entries of one partition in order, as long as this node has its lease. Whatever fails
 * for a passing cause is read again from where it failed, so nothing overtakes it.
 */
export class Partition {
  /** Resolves when nothing of it is being executed any more. */
  readonly ended: Promise<void>;
  private isStopping = false;
  private wake: () => void = () => undefined;
  /** When it last read or settled something, or found nothing to do, in ms since the epoch. */
  private movedAt = Date.now();
  /** Entries that failed, and how often. */
  private readonly attempts = new Map<string, number>();
  /** Entries that are executed one by one, to find out which it is that fails. */
  private singly = 0;
  /** Batches that were begun, and that were done. */
  private begun = 0;
  private done = 0;
  private readonly chain = new Chain(BATCH_BYTES);
  private pace = Promise.resolve();

  /** @param before it begins when this has resolved */
  constructor(
    readonly index: number,
    private readonly parts: PartitionParts,
    before: Promise<void>,
  ) {
    this.ended = before.then(() => this.run());
  }

  /** What is being executed is finished; what was only read is left for the next reader. */
  stop(): Promise<void> {
    // It is given as long to end as it had to move.
    if (!this.isStopping) this.moved();
    this.isStopping = true;
    this.wake();
    return this.ended;
  }

  /** Ends it without waiting: without its lease nothing that is under way can act any more. */
  abandon(): void {
    void this.stop();
    this.parts.reader.close();
  }

  /** Whether nothing has moved for so many ms. */
  standsStill(ms: number): boolean {
    return Date.now() - this.movedAt > ms;
  }

  private async run(): Promise<void> {
    for (let failures = 0; !this.isStopping;) {
      const { done } = this;
      try {
        await this.consume();
        await this.chain.end();
      } catch (thrown) {
        // A call that is still under way belongs to the lease of before.
        await this.chain.clear();
        const error = toGatewayError(thrown);
        if (error.code === 'lease_lost') break;
        this.complain(error);
        failures = this.done > done ? 1 : failures + 1;
        await this.wait(backoff(failures));
      }
    }
    this.parts.reader.close();
  }

  /** What Redis' absence does not explain. */
  private complain(error: GatewayError): void {
    if (!this.parts.isUp()) return;
    const { index: partition } = this;
    const { cause } = error;
    if (error.code === 'internal')
      repeated('stream door failed', 10_000, (more) =>
        log.error({ partition, err: cause, more }, 'a partition stands still'),
      );
    else
      repeated('stream door', 10_000, (more) =>
        log.warn(
          { partition, code: error.code, reason: cause instanceof Error && cause.message, more },
          'a partition begins anew',
        ),
      );
  }

  private async consume(): Promise<void> {
    const { reader, moves } = this.parts;
    for await (const { history, entries, deleted } of reader.begin()) {
      this.moved();
      moves.learn(history);
      metrics.streamDeleted.add('', deleted);
      if (this.isStopping) return;
      await this.execute(entries);
    }
    // What is next is read while this is executed.
    let ahead = this.readAhead();
    for (;;) {
      await this.wait(undefined, ahead);
      if (this.isStopping) return;
      const { history, entries, last } = await ahead;
      this.moved();
      moves.learn(history);
      // Who waits for the bell holds up what else is asked on its connection: burials.
      if (entries.length === 0) await this.chain.end();
      ahead = this.readAhead(entries.length === 0 ? last : undefined);
      await this.execute(entries);
    }
  }

  /** @param last nothing was there: what comes behind this entry is waited for */
  private readAhead(last?: string): ReturnType<PartitionReader['read']> {
    const ahead = this.parts.reader.read(last);
    // It is waited for when its turn comes, which a failure before it may prevent.
    ahead.catch(() => undefined);
    return ahead;
  }

  private async execute(entries: readonly Entry[]): Promise<void> {
    const { moves, executor, caughtUp } = this.parts;
    let rest = entries;
    while (rest.length > 0 && !this.isStopping) {
      const isSingly = this.singly > 0;
      const ready = await moves.ready(rest.slice(0, isSingly ? 1 : BATCH));
      this.moved();
      if (ready === 0) {
        await this.wait(LOOK_MS);
        continue;
      }
      const { part, bytes } = withinBytes(rest.slice(0, ready));
      const most = executor.chains && !isSingly ? CALLS : 1;
      const batch = { last: part.at(-1)!.id, bytes };
      await this.chain.put(batch, most, (before) => this.settle(part, before));
      rest = rest.slice(part.length);
      if (++this.begun % PACE > 0) continue;
      await this.wait(PACE_MS, this.pace);
      this.pace = caughtUp();
    }
  }

  private moved(): void {
    this.movedAt = Date.now();
  }

  /** Resolves after so many ms, when the promise does, or when it is to stop. */
  private async wait(ms: number | undefined, promise?: Promise<unknown>): Promise<void> {
    const { promise: over, resolve, reject } = Promise.withResolvers<void>();
    this.wake = resolve;
    const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
    promise?.then(() => resolve(), reject);
    if (this.isStopping) resolve();
    await over.finally(() => clearTimeout(timer));
  }

  /** @param before is done first; still under way, unless absent */
  private async settle(entries: readonly Entry[], before: Link | undefined): Promise<void> {
    const refused: Burial[] = [];
    // A call that never gets an answer makes Redis count as away by itself.
    const wasUp = this.parts.isUp();
    const commands: { entry: Entry; input: CommandInput }[] = [];
    for (const entry of entries)
      try {
        if (entry.isTooLarge) throw new GatewayError('payload_too_large');
        commands.push({ entry, input: commandOfEntry(entry.fields, this.parts.commandMaxBytes) });
      } catch (thrown) {
        const error = toGatewayError(thrown);
        metrics.commands.add('stream', error.code);
        refused.push({ entry, error });
      }
    await this.tellRefused(refused);
    const given: Burial[] = [];
    const passing: GatewayError[] = [];
    const outcomes = await this.executeInTurn(commands, wasUp, before);
    for (const [index, { entry }] of commands.entries()) {
      const error = outcomes[index];
      if (!(error instanceof GatewayError)) this.attempts.delete(entry.id);
      else if (!error.retryable) refused.push({ entry, error });
      else if (passing.length === 0 && wasUp && this.isGivenUp(entry))
        given.push(gaveUp(entry, error));
      else passing.push(error);
    }
    await this.tellRefused(given);
    refused.push(...given);
    if (refused.length > 0) await this.parts.dead.bury(refused);
    this.moved();
    if (passing[0]) throw passing[0];
    this.singly = Math.max(0, this.singly - entries.length);
    this.done++;
  }

  /**
   * Asks at once: the ledger refuses what comes too early. Nothing is held against an entry, nor is one
   * buried, as long as one before it may have failed.
   */
  private async executeInTurn(
    commands: readonly { entry: Entry; input: CommandInput }[],
    wasUp: boolean,
    before: Link | undefined,
  ): Promise<readonly unknown[]> {
    try {
      const outcomes = await this.executeAll(commands, wasUp, before?.last);
      await before?.done;
      return outcomes;
    } catch (error) {
      if (!before || !(error instanceof OutOfTurn)) throw error;
      await before.done;
      return this.executeAll(commands, wasUp, undefined);
    }
  }

  /** A failure of several entries at once says nothing of any: they are tried one by one then. */
  private async executeAll(
    commands: readonly { entry: Entry; input: CommandInput }[],
    wasUp: boolean,
    after: string | undefined,
  ): Promise<readonly unknown[]> {
    if (commands.length === 0) return [];
    const { executor, reader, clockAhead } = this.parts;
    const items = commands.map(({ entry: { id }, input }) => ({
      input,
      entry: id,
      writtenAt: Number.parseInt(id, 10) - clockAhead(),
    }));
    try {
      const consumer = { ...reader.consumer, ...(after !== undefined && { after }) };
      return await executor.executeAll(items, { door: 'stream' }, consumer);
    } catch (thrown) {
      const error = toGatewayError(thrown);
      if (error.code === 'lease_lost' || error instanceof OutOfTurn) throw error;
      // Alone it is told as an outcome of its own.
      if (commands.length === 1) return [error];
      if (wasUp) this.singly = commands.length;
      throw error;
    }
  }

  /** Only what was tried while other nodes could be reached is held against an entry. */
  private isGivenUp({ id }: Entry): boolean {
    const attempts = (this.attempts.get(id) ?? 0) + 1;
    this.attempts.set(id, attempts);
    return attempts >= ATTEMPTS_MAX && this.attempts.delete(id);
  }

  /** Who wants a receipt gets one also for what is no command. */
  private async tellRefused(refused: readonly Burial[]): Promise<void> {
    if (refused.length === 0) return;
    const asked = refused.map(({ entry: { id, fields } }) => ({
      input: { receipt: fieldOf(fields, 'receipt'), id: fieldOf(fields, 'id') },
      entry: id,
    }));
    await this.parts.receipts.write(
      asked,
      refused.map(({ error }) => error),
    );
  }
}

function gaveUp(entry: Entry, cause: GatewayError): Burial {
  const reason = `Failed ${ATTEMPTS_MAX} times: ${cause.code}`;
  return { entry, error: new GatewayError('gave_up', reason, { cause }) };
}

/** The first entries, as many as go in one call; one at least. */
function withinBytes(entries: readonly Entry[]): { part: readonly Entry[]; bytes: number } {
  let bytes = 0;
  for (const [index, { fields }] of entries.entries()) {
    let size = 0;
    for (const text of fields) size += text.length;
    if (index > 0 && bytes + size > BATCH_BYTES) return { part: entries.slice(0, index), bytes };
    bytes += size;
  }
  return { part: entries, bytes };
}
