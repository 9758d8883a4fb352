import type { Socket } from 'node:net';
import type { Outcome } from '@streamgate/protocol/commands';
import type { GatewayError } from '@streamgate/protocol/errors';
import type { Executor, Item } from '../execute.js';

/** Commands of one connection that may wait before it is not read any more. */
const WAITING_MAX = 1000;
/** Bytes of its commands that may wait or be executed: a few MiB keep one that waits for Redis busy. */
const BYTES_MAX = 4 * 1024 * 1024;

type Result = Outcome | GatewayError;

interface Waiting {
  readonly item: Item | GatewayError;
  readonly bytes: number;
  readonly resolve: (result: Result) => void;
}

/**
 * Executes what comes from one connection in the order in which it came: document 1's service makes
 * a user join a room and speaks in it next. While some are executed, others gather and go together.
 */
export class InOrder {
  private waiting: Waiting[] = [];
  private bytes = 0;
  private paused = false;
  private running: Promise<void> | undefined;

  /**
   * @param executor never rejects
   * @param flow is not read while too much waits
   */
  constructor(
    private readonly executor: Pick<Executor, 'executeBatch'>,
    private readonly flow: Pick<Socket, 'pause' | 'resume' | 'writableNeedDrain'>,
  ) {}

  /**
   * @param item a command, or why it is none
   * @param bytes how large it was on its way
   */
  push(item: Item | GatewayError, bytes: number): Promise<Result> {
    return new Promise((resolve) => {
      this.waiting.push({ item, bytes, resolve });
      this.bytes += bytes;
      this.pace();
      this.running ??= this.run();
    });
  }

  /** Resolves when all that came is executed. */
  async idle(): Promise<void> {
    await this.running;
  }

  private async run(): Promise<void> {
    // What comes in the same turn of the event loop goes together.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const batch = this.waiting;
      this.waiting = [];
      const items = batch.map(({ item }) => item);
      const results = await this.executor.executeBatch(items, { door: 'tcp' });
      for (const [index, { bytes, resolve }] of batch.entries()) {
        this.bytes -= bytes;
        resolve(results[index]!);
      }
      this.pace();
    }
    this.running = undefined;
  }

  private pace(): void {
    const paused = this.waiting.length >= WAITING_MAX || this.bytes >= BYTES_MAX;
    if (paused === this.paused) return;
    this.paused = paused;
    if (paused) this.flow.pause();
    // Nest has stopped reading too, until answers are taken; it goes on by itself.
    else if (!this.flow.writableNeedDrain) this.flow.resume();
  }
}
