import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Kind } from '../candidates.ts';
import { type Fault, lineOf } from './judge.ts';
import { type History, run } from './run.ts';

const help = `Writes numbered events over three node processes while sessions come and go, nodes are killed and stopped
and Redis is restarted and paused; prints what sessions that were told \`recovered: true\` lost, had twice
or had out of order, and how many were told \`false\`. The same over the stock streams adapter.

Usage: npm run histories -w adapter -- [--quick] [--only mailbox|streams] [--redis N] [--rate N] [--seed N] [--json FILE] [--write]
  --quick      fewer faults, half a minute for each adapter
  --only       one adapter instead of both
  --redis N    rooms spread over so many Redis (mailbox; default 1)
  --rate N     events a second, over all nodes (default 3000)
  --seed N     of who comes back when and where (default: of chance, printed)
  --json FILE  where the numbers go (default .cache/histories.json)
  --write      put the tables into README.md (oxfmt lines them up)

Ends with status 1 when the mailbox adapter lost, doubled or disordered anything.
A full run takes about four minutes for each adapter and needs redis-server.`;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    redis: { type: 'string', default: '1' },
    rate: { type: 'string', default: '3000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    json: { type: 'string', default: '.cache/histories.json' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

/** Faults of which the story is told. */
const MOST = 5;

if (options.help) console.log(help);
else await main();

async function main(): Promise<void> {
  const kinds: Kind[] = options.only ? [options.only as Kind] : ['mailbox', 'streams'];
  const histories: History[] = [];
  for (const kind of kinds) {
    const history = await run({
      kind,
      quick: options.quick,
      perSecond: Number(options.rate),
      seed: Number(options.seed),
      servers: Number(options.redis),
      progress: (line) => console.error(`${kind}: ${line}`),
    });
    histories.push(history);
    console.log(`\n${table(history)}\n`);
    // The tables are of one Redis.
    if (options.write && options.redis === '1') await writeDocument(history);
    for (const fault of history.faults.slice(0, MOST)) console.error(told(fault));
  }
  const file = resolve(options.json);
  await mkdir(dirname(file), { recursive: true });
  const numbers = (key: string, value: unknown) => (key === 'faults' ? undefined : value);
  await writeFile(file, `${JSON.stringify(histories, numbers, 2)}\n`);
  const ours = histories.find(({ kind }) => kind === 'mailbox');
  if (ours && ours.total.lost + ours.total.doubled + ours.total.outOfOrder > 0)
    process.exitCode = 1;
}

function told({ what, event, phase, life }: Fault): string {
  const { received, story } = life;
  const found = received.indexOf(event);
  const later = received.findIndex((other) => other > event && lineOf(other) === lineOf(event));
  const at = found === -1 ? later : found;
  const around = at === -1 ? [] : received.slice(Math.max(0, at - 3), at + 4);
  const line = `${what} in phase ${phase}: ${event}, ${found === -1 ? 'later' : 'received'} ${around.join(' ')} at ${at}`;
  // What it tells of itself says how many events it had by then.
  const behind = story.findIndex((entry) => Number(/\((\d+):/.exec(entry)?.[1] ?? 0) > at);
  const end = at === -1 || behind === -1 ? story.length : behind + 3;
  return [line, ...story.slice(Math.max(0, end - 20), end)].join('\n  ');
}

function table({ kind, rows, total, seed, seconds }: History): string {
  const cells = [...rows, total].map((row) =>
    [
      row.phase,
      row.published,
      row.deliveries,
      row.returns,
      row.returns === 0 ? '' : `${((row.toldFalse / row.returns) * 100).toFixed(1)} %`,
      Object.entries(row.causes)
        .map(([cause, times]) => `${cause} ${times}`)
        .join(', '),
      row.lost,
      row.doubled,
      row.outOfOrder,
    ]
      .map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : cell))
      .join(' | '),
  );
  return [
    `| ${kind} | events | deliveries | returns | told false | because | lost | doubled | out of order |`,
    '| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: |',
    ...cells.map((cell) => `| ${cell} |`),
    '',
    `Lost, doubled and out of order among sessions told \`recovered: true\`; seed ${seed}, ${seconds} s.`,
  ].join('\n');
}

/** Replaces what stands between the markers of the adapter's page. */
async function writeDocument(history: History): Promise<void> {
  const file = new URL('../../README.md', import.meta.url);
  const name = `histories of ${history.kind}`;
  const markers = new RegExp(`(<!-- ${name} -->\\n)[\\s\\S]*(<!-- /${name} -->)`);
  const before = await readFile(file, 'utf8');
  if (!markers.test(before)) throw new Error(`README.md has lost its markers for ${name}`);
  const date = new Date().toISOString().slice(0, 10);
  const text = `${table(history).trimEnd()} ${date}.`;
  await writeFile(
    file,
    before.replace(markers, (_, begin, end) => `${begin}\n${text}\n\n${end}`),
  );
}
