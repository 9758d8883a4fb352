import type { Writable } from 'node:stream';

/** Log that may wait for a slow reader, in bytes. */
const MAX_WAITING = 8 * 1024 * 1024;

/**
 * Where the log goes: all lines of one turn in one write, which never waits for whoever reads them.
 * Measured: with pino's own output a node whose log pipe is full stands still. Here lines are lost
 * instead, and how many is the first line after.
 */
export class LogOutput {
  private readonly stream: Writable;
  private readonly maxWaiting: number;
  private lines = '';
  private count = 0;
  private lost = 0;

  /** @param stream standard output, or one that stands for it */
  constructor(stream: Writable, maxWaiting = MAX_WAITING) {
    this.stream = stream;
    this.maxWaiting = maxWaiting;
    // A reader that has gone (EPIPE) cannot be told so, and the node does not end because of it.
    stream.on('error', () => undefined);
    process.once('exit', () => this.flush());
  }

  write(line: string): void {
    if (this.count === 0) setImmediate(() => this.flush());
    this.lines += line;
    this.count += 1;
  }

  private flush(): void {
    const { lines, count, stream } = this;
    if (count === 0) return;
    this.lines = '';
    this.count = 0;
    if (stream.writableLength > this.maxWaiting) {
      this.lost += count;
      return;
    }
    if (this.lost > 0) {
      const time = new Date().toISOString();
      const msg = 'log lines lost: nobody read them in time';
      stream.write(`${JSON.stringify({ level: 'warn', time, lines: this.lost, msg })}\n`);
      this.lost = 0;
    }
    stream.write(lines);
  }
}
