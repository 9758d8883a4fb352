/** `make config`: the effective configuration as `make run` would have it, secrets masked. */
import { ConfigError, printable, readConfig } from '../gateway/dist/config.js';
import { developmentDefaults } from './development.ts';

try {
  const config = readConfig({ ...process.env, ...developmentDefaults(process.env) });
  for (const [name, value] of Object.entries(printable(config))) console.log(`${name}=${value}`);
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
