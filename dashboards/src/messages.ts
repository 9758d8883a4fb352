import { type Board, of, orZero, quantile, rate } from './board.ts';
import { deadLetters, oldestCommand } from './panels.ts';

/** What services send: doors, queues, order, what could not be executed, and how fast it arrives. */
export const messages: Board = {
  uid: 'streamgate-messages',
  title: 'Messages',
  description: 'What services send: doors, lag, dead letters, latency by stage, inboxes, Kafka.',
  rows: [
    {
      title: 'Doors',
      panels: [
        {
          kind: 'timeseries',
          title: 'Commands by door',
          description: 'How many commands are executed, by the door that they came through.',
          unit: 'ops',
          queries: [
            {
              expr: `sum by (door) (${rate('streamgate_commands_total', 'outcome="done"')})`,
              legend: '{{door}}',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Not executed, by outcome',
          description:
            'duplicate: an id came again. expired: its ttl was over. Others are codes of refusals.',
          unit: 'ops',
          queries: [
            {
              expr: orZero(
                `sum by (outcome) (${rate('streamgate_commands_total', 'outcome!="done"')})`,
              ),
              legend: '{{outcome}}',
            },
          ],
          runbook: 'StreamgateCommandBudgetBurn',
        },
        {
          kind: 'timeseries',
          title: 'Commands in a step',
          description: 'Average. Large steps under load are good: each costs one call of Redis.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (door) (${rate('streamgate_command_batch_size_sum')}) / (sum by (door) (${rate('streamgate_command_batch_size_count')}) > 0) or on() vector(0)`,
              legend: '{{door}}',
            },
          ],
        },
      ],
    },
    {
      title: 'The Redis stream',
      panels: [
        {
          kind: 'timeseries',
          title: 'Waiting commands',
          description: 'Entries that no node has executed yet, by partition.',
          unit: 'short',
          queries: [
            {
              expr: orZero(`max by (partition) (${of('streamgate_stream_lag_entries')})`),
              legend: 'partition {{partition}}',
            },
          ],
          runbook: 'StreamgateLagGrowing',
        },
        oldestCommand,
        {
          kind: 'timeseries',
          title: 'Partitions by node',
          description:
            'Each is executed by one node; shared out evenly. 0 on all: nobody executes.',
          unit: 'short',
          queries: [
            {
              expr: orZero(`sum by (instance) (${of('streamgate_stream_partitions')})`),
              legend: '{{instance}}',
            },
          ],
          runbook: 'StreamgateNoLeaseHolder',
        },
        {
          kind: 'timeseries',
          title: 'Take-overs',
          description: 'A partition changed its node: a rollout, a dead node, or a new one.',
          unit: 'ops',
          queries: [
            {
              expr: `sum by (instance) (${rate('streamgate_stream_takeovers_total')})`,
              legend: '{{instance}}',
            },
          ],
        },
        deadLetters,
        {
          kind: 'timeseries',
          title: 'Lost before they were executed',
          description:
            'A writer trimmed its stream too short, dead letters or receipts went out. Wanted: 0.',
          unit: 'ops',
          queries: [
            {
              expr: `sum(${rate('streamgate_stream_deleted_total')})`,
              legend: 'trimmed by the writer',
            },
            {
              expr: `sum(${rate('streamgate_dead_letters_dropped_total')})`,
              legend: 'dead letters dropped',
            },
            { expr: `sum(${rate('streamgate_receipts_lost_total')})`, legend: 'receipts lost' },
          ],
          thresholds: { warn: 0.01, bad: 1 },
        },
      ],
    },
    {
      title: 'Latency by stage',
      panels: [
        {
          kind: 'heatmap',
          title: 'Waiting to be executed',
          description: 'From its writing to a node beginning with it. High: the door is behind.',
          unit: 's',
          queries: [
            {
              expr: `sum by (le) (${rate('streamgate_command_queue_seconds_bucket')})`,
              legend: '{{le}}',
            },
          ],
        },
        {
          kind: 'heatmap',
          title: 'Executing a step',
          description: 'High: Redis is slow, or steps are large.',
          unit: 's',
          queries: [
            {
              expr: `sum by (le) (${rate('streamgate_command_seconds_bucket')})`,
              legend: '{{le}}',
            },
          ],
        },
        {
          kind: 'heatmap',
          title: 'Writing to sockets',
          description:
            'From its writing to the sockets of a node, all stages together. By the clocks of both ends.',
          unit: 's',
          queries: [
            {
              expr: `sum by (le) (${rate('streamgate_delivery_seconds_bucket')})`,
              legend: '{{le}}',
            },
          ],
          runbook: 'StreamgateDeliveryBudgetBurn',
        },
        {
          kind: 'timeseries',
          title: 'Delivery by door, median',
          description: 'From its writing to the sockets.',
          unit: 's',
          queries: [
            {
              expr: orZero(`${quantile(0.5, 'streamgate_delivery_seconds', '', 'door')} >= 0`),
              legend: '{{door}}',
            },
          ],
          width: 12,
        },
        {
          kind: 'timeseries',
          title: 'Delivery by door, 99th percentile',
          description: 'From its writing to the sockets. Wanted for the stream: under 250 ms.',
          unit: 's',
          queries: [
            {
              expr: orZero(`${quantile(0.99, 'streamgate_delivery_seconds', '', 'door')} >= 0`),
              legend: '{{door}}',
            },
          ],
          thresholds: { warn: 0.1, bad: 0.25 },
          runbook: 'StreamgateDeliveryBudgetBurn',
          width: 12,
        },
      ],
    },
    {
      title: 'Inboxes, services that listen, Kafka, chat',
      panels: [
        {
          kind: 'timeseries',
          title: 'Inboxes',
          description:
            'Sent out of inboxes, taken by clients; dropped and expired were never read.',
          unit: 'ops',
          queries: ['sent', 'taken', 'dropped', 'expired'].map((what) => ({
            expr: `sum(${rate(`streamgate_inbox_${what}_total`)})`,
            legend: what,
          })),
          width: 6,
        },
        {
          kind: 'timeseries',
          title: 'Waiting in inboxes',
          description:
            'Events for users who are away, in all inboxes. They take memory of Redis: rising for days, give events a ttl.',
          unit: 'short',
          queries: [{ expr: orZero(`max(${of('streamgate_inbox_events')})`), legend: 'events' }],
          width: 6,
        },
        {
          kind: 'timeseries',
          title: 'Entries for services that listen',
          description: 'failed: services miss what clients said; Redis was away.',
          unit: 'ops',
          queries: [
            {
              expr: `sum by (outcome) (${rate('streamgate_events_out_total')})`,
              legend: '{{outcome}}',
            },
          ],
          width: 6,
        },
        {
          kind: 'timeseries',
          title: 'Kafka lag',
          description: 'Messages that wait in the partitions of each node; 0 without Kafka.',
          unit: 'short',
          queries: [
            {
              expr: orZero(`sum by (instance) (${of('streamgate_kafka_lag')})`),
              legend: '{{instance}}',
            },
          ],
          width: 6,
        },
        {
          kind: 'timeseries',
          title: 'Messages of chat',
          description: 'By outcome: sent, duplicate, or the code of the refusal.',
          unit: 'ops',
          queries: [
            {
              expr: `sum by (outcome) (${rate('streamgate_chat_messages_total')})`,
              legend: '{{outcome}}',
            },
          ],
          runbook: 'StreamgateDatabaseAway',
          width: 12,
        },
        {
          kind: 'timeseries',
          title: 'Requests to the database',
          description: 'unavailable: it is away. failed: see the log.',
          unit: 'ops',
          queries: [
            {
              expr: `sum by (outcome) (${rate('streamgate_database_queries_total')})`,
              legend: '{{outcome}}',
            },
          ],
          runbook: 'StreamgateDatabaseAway',
          width: 12,
        },
      ],
    },
  ],
};
