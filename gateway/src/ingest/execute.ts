import { createHash, randomUUID } from 'node:crypto';
import type { CommandInput, Outcome } from '@streamgate/protocol/commands';
import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import { DEPTH_MAX, isDeeperThan } from '@streamgate/protocol/json-depth';
import type { Backplane } from '../backplane/backplane.js';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import { tracing } from '../ops/tracing.js';
import { type Accepted, type Caller, type Rules, accept, actsOf } from './accept.js';
import { CommandSpan } from './command-span.js';
import {
  type Consumer,
  type Deed,
  type Ledger,
  OutOfTurn,
  type Verdict,
  performAll,
  tellRegistry,
} from './ledger.js';
import type { Receipts } from './receipts.js';

export type { Caller };

/** A command as a door hands it in. */
export interface Item {
  readonly input: CommandInput;
  /** When it was written, in milliseconds since the epoch by this node's clock; absent: now. */
  readonly writtenAt?: number;
  /** Id of its entry, at the stream door: acknowledged together with acting. */
  readonly entry?: string;
  /** Names it in inboxes, when it may come again: they hold it once. Absent: by its entry, or made up. */
  readonly tag?: string;
  /** Whether the outcome should say how many sessions were addressed, which costs a question. */
  readonly wantSessions?: boolean;
}

export interface ExecutorParts {
  readonly config: Rules;
  readonly backplane: Backplane;
  readonly ledger: Ledger;
  /** Absent on a node without Redis, where nobody could read them. */
  readonly receipts: Receipts | undefined;
}

/** What is to become of an item. */
type Plan =
  | { readonly step: 'refused'; readonly error: GatewayError }
  | { readonly step: 'expired'; readonly deed: Deed }
  | Act;

interface Act {
  readonly step: 'act';
  readonly accepted: Accepted;
  readonly deed: Deed;
  /** Once they are counted. */
  sessions?: number;
}

/** One for each command, while somebody traces. */
type Spans = readonly (CommandSpan | undefined)[] | undefined;

/** Executes what services ask for, whichever door it came through. */
export class Executor {
  constructor(private readonly parts: ExecutorParts) {}

  /** Whether several calls of a consumer may be under way: see `Ledger`. */
  get chains(): boolean {
    return this.parts.ledger.chains === true;
  }

  /**
   * Validates and authorises only.
   * @throws GatewayError as `accept`
   */
  check(input: CommandInput, caller: Caller): void {
    try {
      this.accepted(input, caller);
    } catch (thrown) {
      throw counted(toGatewayError(thrown), caller.door);
    }
  }

  /** What a command needs to know beforehand; without it the command has failed, and counts so. */
  async first<T>(question: Promise<T>, { door }: Caller): Promise<T> {
    try {
      return await question;
    } catch (thrown) {
      throw counted(toGatewayError(thrown), door);
    }
  }

  /**
   * Validates, authorises and acts, once for an `id`.
   * @throws GatewayError as `check`, and `idempotency_conflict`, `backplane_unavailable`
   */
  async execute(input: CommandInput, caller: Caller, wantSessions = false): Promise<Outcome> {
    const [outcome] = await this.executeAll([{ input, wantSessions }], caller);
    if (outcome instanceof GatewayError) throw outcome;
    return outcome!;
  }

  /**
   * Several commands in order; an outcome or a refusal for each.
   * @param consumer the stream door's partition: its lease is checked, entries are acknowledged
   * @throws GatewayError for all of them: `lease_lost`, nothing was done; `backplane_unavailable`,
   *   it is not known what was done
   */
  async executeAll(
    items: readonly Item[],
    caller: Caller,
    consumer?: Consumer,
  ): Promise<(Outcome | GatewayError)[]> {
    const began = performance.now();
    const spans: Spans = tracing.on
      ? items.map((item) => CommandSpan.begin(item, caller, consumer))
      : undefined;
    const plans = this.plan(items, caller, consumer, spans);
    try {
      const counting = Promise.all(
        plans.flatMap((plan, index) => this.count(plan, items[index]!) ?? []),
      );
      const { writesReceipts = false } = this.parts.ledger;
      const isAsked = ({ action, receipt }: CommandInput) =>
        // Afterwards a disconnect has left nobody; and the ledger writes how many they were.
        action === 'disconnect' || (writesReceipts && receipt !== undefined);
      if (items.some(({ input }) => isAsked(input))) await counting;
      const deeds = plans.map((plan, index) => this.deedOf(plan, items[index]!));
      const verdicts = await this.settle(deeds, caller, consumer);
      await counting;
      const outcomes = outcomesOf(plans, verdicts);
      for (const outcome of outcomes)
        if (outcome instanceof GatewayError) counted(outcome, caller.door);
        else {
          metrics.commands.add(caller.door, outcome.outcome);
          metrics.inboxKept.add('', outcome.inboxed);
        }
      const isUnwritten = (_: unknown, index: number) =>
        outcomes[index] instanceof GatewayError || !deeds[index]?.report;
      await this.parts.receipts?.write(items.filter(isUnwritten), outcomes.filter(isUnwritten));
      measured(items, caller.door, began);
      spans?.forEach((span, index) => span?.end(outcomes[index]!));
      return outcomes;
    } catch (thrown) {
      const error = toGatewayError(thrown);
      spans?.forEach((span) => span?.end(error));
      // It comes again.
      if (thrown instanceof OutOfTurn) throw thrown;
      throw counted(error, caller.door);
    }
  }

  /**
   * As `executeAll` for any number of commands, in steps that the backplane carries at once.
   * @param inputs an item, or why it is none
   * @returns never rejects: when a step fails, what follows it is refused alike, so that order holds
   */
  async executeBatch(
    inputs: readonly (Item | GatewayError)[],
    caller: Caller,
  ): Promise<(Outcome | GatewayError)[]> {
    const outcomes: (Outcome | GatewayError)[] = [];
    let failure: GatewayError | undefined;
    for (const input of inputs) if (input instanceof GatewayError) counted(input, caller.door);
    for (const step of steps(inputs)) {
      try {
        if (failure) throw failure;
        const items = step.filter((input): input is Item => !(input instanceof GatewayError));
        const executed = await this.executeAll(items, caller);
        let next = 0;
        for (const input of step)
          outcomes.push(input instanceof GatewayError ? input : executed[next++]!);
        failure = executed.find((each): each is GatewayError => isPassing(each));
      } catch (thrown) {
        failure = toGatewayError(thrown);
        for (const input of step) outcomes.push(input instanceof GatewayError ? input : failure);
      }
    }
    return outcomes;
  }

  private plan(
    items: readonly Item[],
    caller: Caller,
    consumer: Consumer | undefined,
    spans: Spans,
  ): Plan[] {
    return items.map((item, index) => {
      try {
        const accepted = this.accepted(item.input, caller);
        const { command } = accepted;
        const { writtenAt = Date.now() } = item;
        const entry = item.entry === undefined ? {} : { entry: item.entry };
        const deadline = command.ttl === undefined ? undefined : writtenAt + command.ttl * 1000;
        if (deadline !== undefined && deadline <= Date.now())
          return { step: 'expired', deed: { ...entry, acts: [] } };
        const once = onceOf(accepted);
        const inbox = keepsakeOf(accepted, () => tagOf(item, consumer), deadline);
        const { traceparent, tracestate } = spans?.[index]?.published() ?? command;
        const origin = { door: caller.door, written: writtenAt, traceparent, tracestate };
        const acts = actsOf(accepted, inbox?.tag, origin, this.parts.config);
        const { relocation: hold } = accepted;
        const revoke = tokensOf(accepted, writtenAt);
        const deed = {
          ...entry,
          ...(once && { once }),
          acts,
          ...(hold && { hold }),
          ...(revoke && { revoke }),
          ...(inbox && { inbox }),
        };
        return { step: 'act', accepted, deed };
      } catch (thrown) {
        return { step: 'refused', error: toGatewayError(thrown) };
      }
    });
  }

  /** @throws GatewayError as `accept` */
  private accepted(input: CommandInput, caller: Caller): Accepted {
    const { config, receipts } = this.parts;
    const accepted = accept(input, caller, config);
    if (accepted.command.receipt !== undefined && !receipts)
      throw new GatewayError('invalid_receipt', 'There is no Redis to write receipts to');
    return accepted;
  }

  /** Undefined: nobody wants to know. Never rejects: it is not known while Redis is away. */
  private count(plan: Plan, { wantSessions = false }: Item): Promise<void> | undefined {
    if (plan.step !== 'act') return undefined;
    const { command, users } = plan.accepted;
    const isWanted = wantSessions || command.receipt !== undefined;
    return users && isWanted ? this.countOf(plan, users) : undefined;
  }

  private async countOf(plan: Act, users: readonly string[]): Promise<void> {
    const { registry } = this.parts.backplane;
    try {
      plan.sessions = await registry.sessionsOf(plan.accepted.command.nsp, users);
    } catch (thrown) {
      log.debug({ code: toGatewayError(thrown).code }, 'sessions not counted');
    }
  }

  /** With its receipt, where the ledger writes it; undefined: refused. */
  private deedOf(plan: Plan, item: Item): Deed | undefined {
    if (plan.step === 'refused') return undefined;
    const { ledger, receipts } = this.parts;
    if (!ledger.writesReceipts) return plan.deed;
    const [outcome, sessions] =
      plan.step === 'act' ? (['done', plan.sessions] as const) : (['expired', undefined] as const);
    const report = receipts?.reportOf(item, outcome, sessions);
    return report ? { ...plan.deed, report } : plan.deed;
  }

  /** In the order of the plans, those that are refused left out. */
  private async settle(
    planned: readonly (Deed | undefined)[],
    { door }: Caller,
    consumer: Consumer | undefined,
  ): Promise<Verdict[]> {
    const { backplane, ledger } = this.parts;
    const deeds = planned.filter((deed) => deed !== undefined);
    if (deeds.length === 0) return [];
    const recorded = deeds.some(
      ({ entry, once, inbox, report }) => entry ?? once ?? inbox ?? report,
    );
    // What fails at Kafka's door is tried again: the ledger does nothing of what follows it before.
    if (recorded || door === 'kafka') return ledger.settle(deeds, consumer);
    await tellRegistry(backplane, deeds);
    return performAll(backplane, deeds);
  }
}

function outcomesOf(plans: readonly Plan[], verdicts: readonly Verdict[]) {
  const outcomes: (Outcome | GatewayError)[] = [];
  let next = 0;
  for (const plan of plans) {
    if (plan.step === 'refused') {
      outcomes.push(plan.error);
      continue;
    }
    const verdict = verdicts[next++]!;
    if (plan.step === 'expired') {
      const failed = verdict instanceof GatewayError;
      outcomes.push(failed ? verdict : { outcome: 'expired', inboxed: 0 });
    } else if (verdict instanceof GatewayError) outcomes.push(verdict);
    else if (verdict.outcome === 'duplicate') outcomes.push({ ...verdict, inboxed: 0 });
    else {
      const { sessions } = plan;
      outcomes.push(sessions === undefined ? verdict : { ...verdict, sessions });
    }
  }
  return outcomes;
}

function isPassing(outcome: Outcome | GatewayError): boolean {
  return outcome instanceof GatewayError && outcome.retryable;
}

/** @param began as `performance.now()` says */
function measured(items: readonly Item[], door: Caller['door'], began: number): void {
  const seconds = (performance.now() - began) / 1000;
  metrics.commandBatch.observe(items.length, door);
  metrics.commandSeconds.observe(seconds, door);
  const begin = Date.now() - seconds * 1000;
  const queued = metrics.commandQueueSeconds.of(door);
  for (const { writtenAt } of items)
    if (writtenAt !== undefined) queued.observe(Math.max(0, begin - writtenAt) / 1000);
}

function counted(error: GatewayError, door: Caller['door']): GatewayError {
  metrics.commands.add(door, error.code);
  if (error.code === 'internal') log.error({ err: error.cause }, 'a command failed');
  return error;
}

/** Most commands, and JSON characters of more than one, that one call of the backplane is given. */
const STEP = 64;
const STEP_SIZE = 128 * 1024;

function steps<T>(inputs: readonly T[]): T[][] {
  const all: T[][] = [];
  let size = Infinity;
  for (const input of inputs) {
    // What is nested too deep cannot be written as text; it is refused later.
    const length = isDeeperThan(input, 2 * DEPTH_MAX) ? 0 : JSON.stringify(input).length;
    const last = all.at(-1);
    if (!last || last.length === STEP || size + length > STEP_SIZE) {
      all.push([input]);
      size = length;
    } else {
      last.push(input);
      size += length;
    }
  }
  return all;
}

/** What makes a command the same as another: all of it but how it came and who wants to know. */
function onceOf({ command }: Accepted): Deed['once'] {
  if (command.id === undefined) return undefined;
  const { source = '', id, receipt: _, traceparent: __, tracestate: ___, ...content } = command;
  const digest = createHash('sha256').update(JSON.stringify(content)).digest('base64url');
  return { key: JSON.stringify([source, id]), digest };
}

/** The same for an entry that is executed again, so that an inbox holds it once. */
function tagOf({ entry, tag }: Item, consumer: Consumer | undefined): string {
  return entry === undefined ? (tag ?? randomUUID()) : `${consumer?.stream}/${entry}`;
}

/** What comes back is refused: the registry knows before any node hears of it. */
function tokensOf({ command }: Accepted, issuedUntil: number): Deed['revoke'] {
  if (command.action !== 'disconnect' || command.revoke === undefined) return undefined;
  return { users: command.users, issuedUntil, seconds: command.revoke };
}

function keepsakeOf(
  { command, users }: Accepted,
  tag: () => string,
  expiresAt: number | undefined,
): Deed['inbox'] {
  if (command.action !== 'emit' || !command.durable || !users) return undefined;
  const payload = JSON.stringify([command.event, ...command.args]);
  const expiry = expiresAt === undefined ? {} : { expiresAt };
  return { namespace: command.nsp, users, tag: tag(), payload, ...expiry };
}
