import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Where k6 is; it is built when it is not on PATH. */
export function k6Program(): string {
  return execFileSync(join(import.meta.dirname, '../../tools/go-tool'), ['k6'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
}
