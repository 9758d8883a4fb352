/**
 * Every name in Redis, all under one hash tag: what a script touches lies in one slot, and two
 * deployments with different prefixes do not meet. The version is that of the formats.
 */
export function redisKeys(prefix: string) {
  const base = `{${prefix}}:1`;
  return {
    /** Stream of events between nodes. */
    stream: `${base}:stream`,
    /** Channels of the streams adapter, for what it does not write to the stream. */
    streamChannels: `${base}:stream`,
    /** What a lost session needs to come back, as JSON. */
    lostSession: (namespace: string, pid: string) => `${base}:lost:${namespace}:${pid}`,
    /**
     * Channels of the pub/sub adapter. Redis' databases do not divide channels.
     * @param db number of the database
     */
    pubsubChannels: (db: number) => `${base}:pubsub:${db}`,
    /** Where the mailbox adapter's names begin, in a hash tag for each of its shards. */
    mailbox: `${prefix}:mailbox`,
    /** Where the registry's names begin; `REGISTRY_KEYS` says how they go on. */
    registry: `${base}:registry`,
  };
}

/** How the registry's scripts name what they touch. A namespace has no colon. */
export const REGISTRY_KEYS = `
local base = KEYS[1]
-- zset: node -> end of its lease
local NODES = base .. ':nodes'
-- hash: node -> since when it renews without interruption, and whether it was interrupted before
local STEADY = base .. ':steady'
-- zset: namespace and user -> when the user stops counting as online
local DUE = base .. ':due'
-- zset: user whose tokens are refused -> until when
local REVOKED = base .. ':revoked'
-- hash: user -> tokens issued up to when
local REVOKED_ISSUED = base .. ':revoked-issued'
-- marks a node whose sessions another took away
local function swept_key(node) return base .. ':swept:' .. node end
-- hash: namespace and session -> user
local function node_key(node) return base .. ':node:' .. node end
-- zset of users online, all with score 0: ordered by id
local function users_key(ns) return base .. ':users:' .. ns end
-- hash: role -> users
local function roles_key(ns) return base .. ':roles:' .. ns end
-- hash: session -> when, where, who; and the fields that begin with =
local function user_key(ns, id) return base .. ':user:' .. ns .. ':' .. id end
-- set of rooms that services' joins hold
local function held_key(ns, id) return base .. ':held:' .. ns .. ':' .. id end
`;
