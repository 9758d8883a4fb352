import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Row, Running } from './run.ts';
import { SCENARIOS } from './scenarios.ts';

const help = `One service writes numbered commands to the stream door by hand while nodes are killed and stopped, Redis is
restarted and the number of partitions changes; sessions come and go all the while. Prints what was lost, had twice
or came out of order, on each backplane, in real gateway processes on a real Redis.

Usage: npm run guarantees -- [--quick] [--only mailbox|streams|pubsub] [--scenario TEXT] [--seed N] [--json FILE]
  --quick          4,000 entries instead of 20,000
  --only           one backplane (default: mailbox and streams)
  --scenario TEXT  those whose name contains it
  --rate N         entries a second (default 1000)
  --seed N         of who comes back when and where (default: of chance, printed)
  --json FILE      where the numbers go (default .cache/guarantees.json)
  --write          put the tables into docs/guarantees.md

Ends with status 1 when mailbox lost, doubled or disordered anything. Needs redis-server and a build.`;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    scenario: { type: 'string', default: '' },
    rate: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    json: { type: 'string', default: '.cache/guarantees.json' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (options.help) console.log(help);
else await main();

async function main(): Promise<void> {
  const tables: { backplane: string; rows: Row[] }[] = [];
  for (const backplane of options.only ? [options.only] : ['mailbox', 'streams']) {
    const rows: Row[] = [];
    tables.push({ backplane, rows });
    for (const scenario of SCENARIOS.filter(({ name }) => name.includes(options.scenario))) {
      console.error(`${backplane}: ${scenario.name}`);
      const plan = {
        backplane,
        entries: options.quick ? 4000 : 20_000,
        perSecond: Number(options.rate),
        seed: Number(options.seed),
      };
      rows.push(await new Running(plan, scenario).row());
    }
    console.log(`\n${table(backplane, rows)}`);
  }
  const caption = `Lost, doubled and out of order in lives without \`recovered: false\`; seed ${options.seed}.`;
  console.log(`\n${caption}`);
  if (options.write)
    await writeDocument(
      [...tables.map(({ backplane, rows }) => table(backplane, rows)), caption].join('\n\n'),
    );
  const file = resolve(options.json);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify({ seed: options.seed, tables }, null, 2)}\n`);
  const ours = tables.find(({ backplane }) => backplane === 'mailbox')?.rows ?? [];
  if (ours.some(({ lost, doubled, outOfOrder, dead }) => lost + doubled + outOfOrder + dead > 0))
    process.exitCode = 1;
}

/** Replaces what stands between the markers of docs/guarantees.md. */
async function writeDocument(text: string): Promise<void> {
  const file = new URL('../../../docs/guarantees.md', import.meta.url);
  const before = await readFile(file, 'utf8');
  const markers = /(<!-- guarantees -->\n)[\s\S]*(<!-- \/guarantees -->)/;
  if (!markers.test(before)) throw new Error('docs/guarantees.md has lost its guarantees markers');
  await writeFile(
    file,
    before.replace(markers, (_, begin, end) => `${begin}\n${text}\n\n${end}`),
  );
}

function table(backplane: string, rows: readonly Row[]): string {
  const cells = rows.map((row) =>
    [
      row.scenario,
      row.entries,
      row.deliveries,
      row.returns,
      row.returns === 0 ? '' : `${((row.toldFalse / row.returns) * 100).toFixed(1)} %`,
      row.lost,
      row.doubled,
      row.outOfOrder,
      `${(row.longestMs / 1000).toFixed(1)} s`,
    ]
      .map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : cell))
      .join(' | '),
  );
  return [
    `| ${backplane} | entries | deliveries | returns | told false | lost | doubled | out of order | longest wait |`,
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...cells.map((cell) => `| ${cell} |`),
  ].join('\n');
}
