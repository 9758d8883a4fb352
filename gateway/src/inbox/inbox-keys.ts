/**
 * Names in Redis of the inboxes, under one hash tag with the gateway's others. The version is that of
 * the formats. Of each user there are, while something lies in the inbox:
 *
 * - `<base>:order:<namespace>:<user>`: zset, tag -> place
 * - `<base>:items:<namespace>:<user>`: hash, tag -> when it expires (ms, 0: never), a blank, the event
 *   as JSON; and in the field without a name the bytes of all
 *
 * And of all together:
 *
 * - `<base>:size`: hash, hour (since the epoch, of the places) -> events that lie in any inbox
 *
 * A place is the time by Redis' clock in microseconds, or one more than the place before: so places
 * go on rising where an inbox was empty meanwhile. A namespace has no colon.
 */
export function inboxBase(prefix: string): string {
  return `{${prefix}}:1:inbox`;
}
