import type { CommandFields } from '@streamgate/protocol/command-fields';
import type { Written } from '../address.js';
import { Emitter } from '../emitter.js';
import type { Delivery } from '../receipts.js';
import { type CliCommand, type Context, UsageError } from './command.js';

const several = { type: 'string', multiple: true } as const;
const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

export const emit: CliCommand = {
  usage: 'emit <event> [data] --to <room> | --user <id> | --role <role> | --all',
  summary: 'send an event, or make users join, leave or disconnect',
  help: `
data is JSON; without it the client's listener is called without an argument.

  --to <room>       a room; may be given several times, as may --user, --role, --except
  --user <id>       all sessions of a user
  --role <role>     everyone with the role
  --all             everyone
  --except <room>   rooms whose sessions are left out
  --action <name>   join or leave with data {"room": ...}, or disconnect with data
                    {"reason", "code", "revoke"}: then there is no event, and --user says whom
  --durable         kept in the inbox of users who are away
  --volatile        a session that is not ready may miss it
  --ttl <seconds>   no longer worth delivering afterwards
  --key <key>       ordering key
  --id <id>         idempotency key
  --source <name>   scope of the id (cli)
  --nsp <namespace> / or /chat
  --receipt         wait until it is executed, and print what became of it

  streamgate emit quiz:created '{"quizId":7}' --user 42 --receipt
  streamgate emit --action join '{"room":"quiz:7"}' --user 42`,
  options: {
    ...{ to: several, user: several, role: several, all: flag, except: several },
    ...{ action: text, durable: flag, volatile: flag, ttl: text, key: text, id: text },
    ...{ source: text, nsp: text, receipt: flag },
  },
  async run(context) {
    const { url, prefix, values, json, print } = context;
    const fields = fieldsOf(context);
    const emitter = new Emitter({ redis: url, prefix, source: 'cli', onError: () => {} });
    try {
      const sent = await emitter.send(fields, values.receipt ? {} : undefined);
      print(json ? JSON.stringify(sent) : summary(sent));
      return 0;
    } finally {
      await emitter.close();
    }
  },
};

function fieldsOf({ args, values }: Context): CommandFields {
  const { action, ttl, durable, volatile } = values;
  const [event, data] = action === undefined ? args : [undefined, ...args];
  if (args.length > (action === undefined ? 2 : 1) || (action === undefined && !event))
    throw new UsageError('Give an event and its data, or an --action and its data');
  const given = Object.fromEntries(
    ['action', 'key', 'id', 'source', 'nsp']
      .filter((name) => values[name] !== undefined)
      .map((name) => [name, values[name]]),
  );
  const except = values.except as string[] | undefined;
  return {
    ...given,
    to: target(values),
    ...(event !== undefined && { event }),
    ...(data !== undefined && { data: parsed(data) }),
    ...(except && { except }),
    ...(ttl !== undefined && { ttl: Number(ttl) }),
    ...(durable && { durable: true }),
    ...(volatile && { volatile: true }),
  };
}

function target({ to, user, role, all }: Context['values']): string | string[] {
  const list = (value: Context['values'][string]) => (value ?? []) as string[];
  const rooms = [
    ...list(to),
    ...list(user).map((id) => `user:${id}`),
    ...list(role).map((name) => `role:${name}`),
  ];
  if (all ? rooms.length > 0 : rooms.length === 0)
    throw new UsageError('Say to whom: --to, --user, --role, or --all alone');
  return all ? '*' : rooms;
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    throw new UsageError(`data is not JSON; a text needs its quotes: '"text"'`);
  }
}

function summary(sent: Written | Delivery): string {
  if (!('outcome' in sent)) return `written  ${sent.entry}  id ${sent.id}`;
  const { outcome, sessions = 'unknown', inboxed, node, id } = sent;
  return `${outcome}  sessions ${sessions}  inboxed ${inboxed}  node ${node}  id ${id}`;
}
