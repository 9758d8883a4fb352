import { type Board, of, orZero, rate, share } from './board.ts';
import { connects, refusedEvents, deadLetters, notForwarded } from './panels.ts';
import { overviewCauses } from './overview-causes.ts';

const OURS = 'reason=~"node_full|handshake_rate|backplane_unavailable|jwks_unavailable|internal"';
const OUR_CODES = 'outcome=~"backplane_unavailable|lease_lost|gave_up|internal"';
const good = `sum(${rate('streamgate_connects_total', 'outcome=~"accepted|recovered"')})`;
const refused = `sum(${rate('streamgate_connects_total', `outcome="refused", ${OURS}`)})`;

/** Healthy or not, who is hurt, which node, whether it is us or Redis, and what comes. */
export const overview: Board = {
  uid: 'streamgate-overview',
  title: 'Overview',
  description:
    'Start here: is it healthy, who is hurt, which node, is it us or Redis, will it get worse.',
  rows: [
    {
      title: 'Is it healthy?',
      panels: [
        {
          kind: 'stat',
          title: 'Nodes',
          description:
            'Nodes that answer their scrapes. Fewer than there should be: look at their pods.',
          unit: 'short',
          queries: [{ expr: `count(${of('streamgate_build_info')})`, legend: 'nodes' }],
          runbook: 'StreamgateNodeAway',
        },
        {
          kind: 'stat',
          title: 'Sessions',
          description:
            'Connected sockets on all nodes. A sudden fall: clients are cut off, see who is hurt.',
          unit: 'short',
          queries: [{ expr: `sum(${of('streamgate_sessions')})`, legend: 'sessions' }],
        },
        {
          kind: 'stat',
          title: 'Redis',
          description:
            'Whether every node reaches Redis. Away: it is Redis or its network, not us; sessions stay.',
          unit: 'short',
          queries: [{ expr: `min(${of('streamgate_backplane_up')})`, legend: 'Redis' }],
          thresholds: { warn: 0.5, bad: 0.5, falling: true },
          values: { 1: 'there', 0: 'away' },
          runbook: 'StreamgateBackplaneDegraded',
        },
        {
          kind: 'stat',
          title: 'Connects that succeed',
          description: 'Of connects that are good or refused for a reason of ours. Wanted: 99.9 %.',
          unit: 'percentunit',
          queries: [
            { expr: share(good, `(${good} + (${refused} or vector(0)))`), legend: 'connects' },
          ],
          thresholds: { warn: 0.999, bad: 0.99, falling: true },
          runbook: 'StreamgateConnectBudgetBurn',
        },
        {
          kind: 'stat',
          title: 'Delivered within 250 ms',
          description: 'Events of the Redis stream, from XADD to the socket. Wanted: 99.5 %.',
          unit: 'percentunit',
          queries: [
            {
              expr: share(
                `sum(${rate('streamgate_delivery_seconds_bucket', 'door="stream", le="0.25"')})`,
                `sum(${rate('streamgate_delivery_seconds_count', 'door="stream"')})`,
              ),
              legend: 'delivered',
            },
          ],
          thresholds: { warn: 0.995, bad: 0.95, falling: true },
          runbook: 'StreamgateDeliveryBudgetBurn',
        },
        {
          kind: 'stat',
          title: 'Commands executed',
          description:
            'Of all commands of services; what they write wrongly does not count against us. Wanted: 99.9 %.',
          unit: 'percentunit',
          queries: [
            {
              expr: share(
                `(sum(${rate('streamgate_commands_total')}) - (sum(${rate('streamgate_commands_total', OUR_CODES)}) or vector(0)))`,
                `sum(${rate('streamgate_commands_total')})`,
              ),
              legend: 'commands',
            },
          ],
          thresholds: { warn: 0.999, bad: 0.99, falling: true },
          runbook: 'StreamgateCommandBudgetBurn',
        },
      ],
    },
    {
      title: 'Who is hurt?',
      panels: [
        connects,
        {
          kind: 'timeseries',
          title: 'Refused connects by reason',
          description:
            'node_full: add nodes. handshake_rate: a storm. backplane_unavailable: Redis. Token reasons: the clients.',
          unit: 'ops',
          queries: [
            {
              expr: orZero(
                `sum by (reason) (${rate('streamgate_connects_total', 'outcome="refused"')})`,
              ),
              legend: '{{reason}}',
            },
          ],
          runbook: 'StreamgateConnectBudgetBurn',
        },
        {
          kind: 'timeseries',
          title: 'Sessions that the gateway ended',
          description:
            'slow_consumer: a client does not read. flood: it sends too much. drain and shed: somebody wanted it.',
          unit: 'ops',
          queries: [
            { expr: `sum by (cause) (${rate('streamgate_closings_total')})`, legend: '{{cause}}' },
          ],
        },
        refusedEvents,
        deadLetters,
        notForwarded,
      ],
    },
    ...overviewCauses,
  ],
};
