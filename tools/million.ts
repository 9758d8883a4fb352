/**
 * docs/million-sessions.md: what a million sessions would take, computed from the tables of
 * docs/performance.md, so that it says nothing that was not measured.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const SESSIONS = 1_000_000;
/** Of a core, beyond which latency grows and nothing is left for a peak. */
const BUSY = 0.6;
/** What one zone of three leaves to the others. */
const FULL = 2 / 3;
/** Shared rooms of a session beside its own: its role and some more. */
const SHARED_ROOMS = 4;

/** A number of ours in a row of docs/performance.md, the `nth` of that name. @throws Error without it */
function measured(tables: string, row: string, nth = 0): number {
  const cells = tables
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, name]) => name === row);
  const number = Number.parseFloat(cells[nth]?.[3]?.replaceAll(',', '') ?? '');
  if (Number.isNaN(number)) throw new Error(`docs/performance.md has no row "${row}"`);
  return number;
}

/** What people do, at the busiest minute of a day, all together. */
interface Profile {
  name: string;
  says: string;
  /** Events a second from services, each to one user. */
  commands: number;
  /** Events a second from clients, each to a room. */
  messages: number;
  /** Members that are connected of such a room. */
  room: number;
}

const PROFILES: Profile[] = [
  {
    name: 'quiet',
    says: 'each is sent an event of a service once in five minutes',
    commands: SESSIONS / 300,
    messages: 0,
    room: 0,
  },
  {
    name: 'notified',
    says: 'each is sent an event of a service once in 20 seconds',
    commands: SESSIONS / 20,
    messages: 0,
    room: 0,
  },
  {
    name: 'talking',
    says: 'each is sent one a minute, and one of ten writes one a minute to a room of 50',
    commands: SESSIONS / 60,
    messages: SESSIONS / 600,
    room: 50,
  },
  {
    name: 'crowded',
    says: 'as before, with rooms of 1,000',
    commands: SESSIONS / 60,
    messages: SESSIONS / 600,
    room: 1000,
  },
];

/** @returns the whole page */
export function renderMillion(): string {
  const tables = readFileSync(join(root, 'docs/performance.md'), 'utf8');
  const values = readFileSync(join(root, 'charts/streamgate/values.yaml'), 'utf8');
  const number = (row: string, nth?: number) => measured(tables, row, nth);
  const setting = (name: string) => {
    const value = new RegExp(`^ *${name}: (\\d+)`, 'm').exec(values)?.[1];
    if (value === undefined) throw new Error(`charts/streamgate/values.yaml has no ${name}`);
    return Number(value);
  };

  const heap = number('Heap of an idle session, stock with 13 handlers');
  const connect = number('CPU of a connect, token never seen');
  const back = number('CPU of a connect, client coming back');
  const answer = number('CPU of an emit with reply event and ack');
  const command = number('CPU of a command in it');
  // Many messages of a node under way share calls; one alone does not.
  const batched = number('CPU of both nodes for a message in it');
  const alone = number('CPU of both nodes for a message at that rate');
  const delivery = number('CPU of a delivery in it');
  const together = number('CPU of the nodes for a delivery in it', 1);
  const redis = number('CPU of Redis for a message in it');
  const own = number('Redis memory of a session in a room of its own, at 100,000');
  const shared = number('and of each further room that all share');
  const perPod = setting('sessionsPerPod');
  const drain = setting('seconds');

  const byMemory = SESSIONS / perPod;
  const rows = PROFILES.map(({ name, says, commands, messages, room }) => {
    const reached = byMemory * (1 - (1 - 1 / byMemory) ** room);
    // Half of what carries a message is where it comes from, half where it goes to.
    const cores = (carried: number) =>
      (commands * (command + carried) +
        messages * (answer + (carried / 2) * (1 + reached) + room * delivery)) /
      1e6;
    const [least, most] = [cores(batched), cores(alone)];
    const byCpu = most / BUSY;
    const pods = Math.ceil(Math.max(byMemory, byCpu) / FULL);
    const redisCores = ((commands + messages * reached) * redis) / 1e6;
    const shards = Math.ceil(redisCores / BUSY);
    return [
      `**${name}**: ${says}`,
      whole(commands + messages),
      whole(commands + messages * room),
      room === 0 ? '' : reached.toFixed(0),
      `${least.toFixed(1)} to ${most.toFixed(1)}`,
      `${pods} (${byCpu > byMemory ? 'CPU' : 'memory'})`,
      `${(redisCores * 100).toFixed(0)} % of a core: ${shards === 1 ? 'one' : `${shards} shards`}`,
    ];
  });
  const pods = Math.ceil(byMemory / FULL);
  const redisBytes = SESSIONS * (own + SHARED_ROOMS * shared);

  return `# A million sessions

A projection, not a measurement: nobody here has had a million sessions. It multiplies what
[performance.md](performance.md) has measured of one session and one event, and says what it assumes. \`npm run generate\`
computes this page from those tables and from the chart's values; after \`make bench\` has written the tables anew, it follows.

## How many pods

A pod is what the chart makes: one core, 1 GiB, ${whole(perPod)} sessions (\`sessionsPerPod\`, derived in
[platform/scaling.md](platform/scaling.md)). ${whole(SESSIONS)} sessions are ${whole(byMemory)} full pods by memory; so that the other two zones
carry all when one of three is gone, there are half as many more: **${pods} pods** as long as memory decides. CPU decides
when people do more than about one core in ${(1 / BUSY).toFixed(1)} for each pod.

${table(['at the busiest minute', 'events/s in', 'deliveries/s', 'pods that a room reaches', 'cores busy', 'pods (by)', 'Redis'], rows)}

cores = commands x (${command} µs to execute + c to carry) + messages x (${answer} µs to take and answer + c / 2 for the pod that it comes from and
for each that its room reaches) + deliveries in rooms x ${delivery} µs. c is ${batched} µs where many messages are under way and share calls, ${alone} µs where each goes
alone; pods are counted by the dearer one. Redis = (commands + messages x pods reached) x ${redis} µs.

## The rest

| what | how | comes to |
| --- | --- | --- |
| heap of all sessions | ${heap} KiB each | ${gib(SESSIONS * heap * 1024)}, ${whole((perPod * heap) / 1024)} MiB in a full pod |
| Redis memory | ${own} bytes each with a room of its own, ${shared} for each of ${SHARED_ROOMS} shared ones | ${gib(redisBytes)}; plan twice that |
| heartbeat | a ping and a pong every 25 s each | ${whole((2 * SESSIONS) / 25)} frames/s, ${whole((2 * perPod) / 25)} in a full pod |
| one event to everybody | ${together} to ${delivery} µs a delivery | ${((SESSIONS * together) / 1e6 / pods).toFixed(3)} to ${((SESSIONS * delivery) / 1e6 / pods).toFixed(2)} s of each of ${pods} pods |
| a pod dies: its people come back | ${back} µs each, spread over socket.io-client's 0.5 to 1.5 s and ${pods - 1} pods | ${whole(SESSIONS / pods)} people, ${((((SESSIONS / pods) * back) / 1e6 / (pods - 1)) * 1000).toFixed(0)} ms of each other pod |
| a zone dies | the same, a third of all at once over the rest | ${whole(SESSIONS / 3)} people, ${(((SESSIONS / 3) * back) / 1e6 / (pods * FULL)).toFixed(1)} s of each pod, ${whole(SESSIONS / 3 / (pods * FULL))} connects each: ${whole(SESSIONS / 3 / (pods * FULL) / 1000)} s at \`STREAMGATE_CONNECTS_PER_SECOND\` = 1000 |
| a rollout, one pod at a time | ${drain} s of drain each (\`drain.seconds\`) | ${((pods * drain) / 3600).toFixed(1)} hours at least; people/s that move: ${whole(SESSIONS / pods / drain)} |
| everybody connects in ten minutes | ${connect} µs each, token never seen | ${whole(SESSIONS / 600)} connects/s, ${((SESSIONS * connect) / 1e6 / 600).toFixed(2)} cores of all |

## What it assumes

- Costs add up: a pod at ${BUSY * 100} % of its core does each thing for what it costs alone. The bench measures them one at a time.
- Costs do not grow with the number of pods but for what is in the formula. Measured with ten nodes, not with ${pods}; the leases that they renew
  are not counted.
- What Redis does for a message was measured with two nodes and many messages under way; alone it costs more, and to a room on many pods it is taken
  to cost as much for each of them. A Redis executes one script at a time: above about ${BUSY * 100} % of a core take shards
  ([decisions/0013](decisions/0013-shards.md)), 16 at most.
- Events of about 100 bytes. Larger ones cost network and copies.
- The heap is what counts in a pod, with as much again outside of it at most. What the kernel keeps for a connection is the node's memory, not the pod's heap:
  \`make load SCENARIO=hold\` shows the resident memory of a session.
- People come and go evenly outside of faults.

## What cannot be concluded

- Whether the way in holds: load balancers and ingress controllers with a million open connections, their memory, their own reloads (each one that cuts
  connections is a zone that dies), source ports between them and pods (about 28,000 for each pair of addresses by default).
- TLS, which ends before the gateway.
- Latency. It depends on the busiest pod and the busiest room, not on averages; \`unicast\` and \`room\` of the load tests measure it at the rate of one pod.
- What an outage of Redis does to ${whole(byMemory)} pods at once beyond what \`redis-restart\` shows with three.

## What a test of it would take

k6 keeps about 90 KiB for a socket (\`npm run memory --workspace loadtest\`): about ${gib(SESSIONS * 90 * 1024)} of memory and, as with pods, a core for some ten thousand
busy sockets. \`npm run manifests --workspace loadtest\` prints a TestRun that spreads them over pods. Begin with one node, \`capacity\`, and compare it with \`sessionsPerPod\`:
that is the number on which all of this rests.
`;
}

function table(head: string[], rows: string[][]): string {
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const whole = (number: number): string => Math.round(number).toLocaleString('en-US');
const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
