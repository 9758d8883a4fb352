import { createInterface } from 'node:readline/promises';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Load on somebody's deployment is put there only by who types its name. @throws Error otherwise */
export async function confirm(
  target: string,
  input: NodeJS.ReadableStream = process.stdin,
  output: NodeJS.WritableStream = process.stdout,
): Promise<void> {
  const { hostname } = new URL(target);
  if (LOOPBACK.has(hostname)) return;
  output.write(
    `This puts load on ${target}: real people there will notice, and services will see users\n` +
      'that nobody knows. Do it only where you may.\n',
  );
  const lines = createInterface({ input, output });
  const typed = await lines.question(`Type ${hostname} to go on: `);
  lines.close();
  if (typed.trim() !== hostname) throw new Error('Nothing was done');
}
