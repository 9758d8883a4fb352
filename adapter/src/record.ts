/** The record of a session as it stands in Redis (`keys.ts`). */
export interface SessionRecord {
  readonly owner: string;
  readonly id: string;
  readonly data: string;
  /** Number of its station. */
  readonly station: number;
  /** Entries behind which that begins. */
  readonly from: string;
  /** Entries up to which its node's mailbox is carried out in it. */
  readonly done: string;
  /** Each room and since when. */
  readonly rooms: readonly (readonly [room: string, since: string])[];
}

/** @param fields with their values, one after the other */
export function recordOf(fields: readonly string[]): SessionRecord {
  const values = new Map<string, string>();
  const rooms: [string, string][] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const [field = '', value = ''] = fields.slice(index, index + 2);
    if (field.startsWith(':')) rooms.push([field.slice(1), value]);
    else values.set(field, value);
  }
  const of = (field: string) => values.get(field) ?? '';
  const done = values.get('q') ?? of('f');
  const station = Number(of('k'));
  return { owner: of('o'), id: of('s'), data: of('d'), station, from: of('f'), done, rooms };
}
