import { ConfigError, configKey, readConfig, type Config } from './config.js';
import type { Variable } from './config-values.js';
import { VARIABLES } from './config-variables.js';

/**
 * Prints the effective configuration with secrets masked, or its faults. Run it in a pod to see
 * what the gateway there sees: `node gateway/dist/config-print.js`.
 * @param env instead of the process' own
 * @returns exit code: 1 with faults
 */
export function printConfig(env?: NodeJS.ProcessEnv): number {
  try {
    const lines = Object.entries(printable(readConfig(env)));
    const width = Math.max(...lines.map(([name]) => name.length));
    for (const [name, value] of lines)
      process.stdout.write(`${`${name.padEnd(width)}  ${value}`.trimEnd()}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

/** Effective values by variable name as they would be written, secrets masked; none is ''. */
export function printable(config: Config): Record<string, string> {
  return Object.fromEntries(
    Object.entries<Variable>(VARIABLES).map(([name, { mask }]) => {
      const text = asText(config[configKey(name) as keyof Config]);
      return [name, mask && text ? mask(text) : text];
    }),
  );
}

function asText(value: Config[keyof Config]): string {
  if (Array.isArray(value))
    return value.every((item) => typeof item === 'string')
      ? value.join(',')
      : JSON.stringify(value);
  return String(value ?? '');
}

if (import.meta.main) process.exitCode = printConfig();
