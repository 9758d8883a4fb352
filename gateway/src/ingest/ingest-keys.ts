/**
 * Names in Redis that the doors keep to themselves, under one hash tag with the gateway's others; the
 * public ones are in `protocol/src/stream.ts`. The version is that of the formats.
 */
export function ingestKeys(prefix: string) {
  const base = `{${prefix}}:1:ingest`;
  return {
    /** Text: the digest of a command that was done under this idempotency key; expires. */
    done: (key: string) => `${base}:done:${key}`,
    /** Text: token of the node that executes a partition; expires with the lease. */
    lease: (partition: number) => `${base}:lease:${partition}`,
    /** zset: node that executes partitions -> until when it is taken to live, by Redis' clock. */
    nodes: `${base}:nodes`,
    /** Text: how many streams there have ever been. */
    highest: `${base}:highest`,
    /** Text, `<ms>:<partitions>` separated by blanks: the numbers that writers may still go by. */
    history: `${base}:history`,
  };
}
