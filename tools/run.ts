/**
 * `make run`: the gateway in this process, in development mode. Signals and the exit status are the
 * gateway's own. Whatever the environment sets is honoured.
 */
import { ConfigError, readConfig } from '../gateway/dist/config.js';
import { start } from '../gateway/dist/main.js';
import { developmentDefaults, freePort, tokenLines } from './development.ts';

Object.assign(process.env, developmentDefaults(process.env));
// Several may run side by side: a port that nobody chose gives way.
process.env.STREAMGATE_HTTP_PORT ||= String(await freePort(3000));
process.env.STREAMGATE_MANAGEMENT_PORT ||= String(await freePort(9464));

try {
  const { url, managementUrl } = await start();
  const config = readConfig();
  console.log(`
Streamgate is up in ${config.mode} mode. Ctrl-C stops it.

Clients and REST   ${url}
Management         ${managementUrl}

${(await tokenLines(config)) ?? 'Tokens come from your issuer.\n'}`);
} catch (error) {
  // A fault of the configuration is for people: one message, no stack trace.
  console.error(error instanceof ConfigError ? error.message : error);
  process.exit(1);
}
