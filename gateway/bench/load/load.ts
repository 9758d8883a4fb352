import { chatOperations } from './chat.js';
import { operations } from './operations.js';

/** The load process: carries out one operation at a time, asked for over IPC by `driver.ts`. */

const all = { ...operations, ...chatOperations };
export type Operations = typeof all;

export interface Request {
  operation: keyof Operations;
  argument: unknown;
}

export interface Answer {
  value?: unknown;
  error?: string;
  /** Wall time of the operation. */
  millis: number;
  /** CPU of this process during the operation. */
  cpuMicros: number;
}

process.on('message', ({ operation, argument }: Request) => {
  void run(operation, argument).then((answer) => process.send?.(answer));
});
process.once('disconnect', () => process.exit());

async function run(operation: keyof Operations, argument: unknown): Promise<Answer> {
  const started = performance.now();
  const cpu = process.cpuUsage();
  const spent = () => {
    const { user, system } = process.cpuUsage(cpu);
    return { millis: performance.now() - started, cpuMicros: user + system };
  };
  try {
    const value = await (all[operation] as (argument: unknown) => unknown)(argument);
    return { value, ...spent() };
  } catch (error) {
    return { error: (error as Error).message, ...spent() };
  }
}
