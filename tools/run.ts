/**
 * `make run`: the gateway in this process, in development mode. Signals and the exit status are the
 * gateway's own. Whatever the environment sets is honoured.
 */
import { ConfigError, readConfig } from '../gateway/dist/config.js';
import { StoreConfigError } from '../gateway/dist/chat/store/chat-store.js';
import { start } from '../gateway/dist/main.js';
import { developmentDefaults, freePort, tokenLines } from './development.ts';

const given = { ...process.env };
Object.assign(process.env, developmentDefaults(given));
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
Console            ${config.console === 'on' ? `${url}/console` : 'off'}

${(await tokenLines(config)) ?? 'Tokens come from your issuer.\n'}`);
} catch (error) {
  // Another one, started at the same moment, was faster: look for ports again.
  if (isPortTaken(error)) process.execve?.(process.execPath, process.argv, given);
  console.error(isForPeople(error) ? error.message : error);
  process.exit(1);
}

/** A fault of the configuration or of the database: one message, no stack trace. */
function isForPeople(error: unknown): error is Error {
  return error instanceof ConfigError || error instanceof StoreConfigError;
}

/** Whether a port that nobody chose is taken after all. */
function isPortTaken(error: unknown): boolean {
  const { code, port } = error as NodeJS.ErrnoException & { port?: number };
  const chosen = [given.STREAMGATE_HTTP_PORT, given.STREAMGATE_MANAGEMENT_PORT];
  return code === 'EADDRINUSE' && !chosen.includes(String(port));
}
