import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = join(import.meta.dirname, '../../dashboards/prometheus/streamgate.rules.yaml');
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** The committed rules. */
export const rules = (): string => readFileSync(FILE, 'utf8');

/**
 * The same rules with every window, `offset` and `for` shorter by this factor; names and thresholds
 * stay. Windows never become shorter than four scrapes.
 */
export function shortened(text: string, factor: number, least: number): string {
  const shorter = (number: string, unit: string) =>
    `${Math.max(least, (Number(number) * SECONDS[unit]!) / factor)}s`;
  return text
    .replaceAll(/\[(\d+)([smhd])\]/g, (_, n, unit) => `[${shorter(n, unit)}]`)
    .replaceAll(/offset (\d+)([smhd])/g, (_, n, unit) => `offset ${shorter(n, unit)}`)
    .replaceAll(/for: (\d+)([smhd])/g, (_, n, unit) => `for: ${shorter(n, unit)}`);
}
