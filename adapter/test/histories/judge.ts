/**
 * Decides from what everybody received what was lost, doubled and out of order. Writers number their
 * events for each room from 0; an event is one number here (`key`).
 */

/** What a session received between two times that it was told `recovered: false`. */
export interface Life {
  /** Rooms that it was in all the time. */
  readonly rooms: ReadonlySet<number>;
  /** Keys in the order of their coming. */
  readonly received: number[];
  /** Phase in which each came. */
  readonly phases: number[];
  /** Writers that began after it was in its rooms: it is owed their events from 0. */
  readonly owedFrom: number;
  /** What it went through, for whoever looks for the reason of a fault. */
  readonly story: string[];
  /** Whether it still lived when all was said and done: it is owed the last events too. */
  atEnd: boolean;
}

/** What is known of events beside who received them. */
export interface Known {
  /** Accepted by Redis. */
  readonly accepted: ReadonlySet<number>;
  /** Delivered to the sessions of one node because Redis was away: nobody else is owed them, unless … */
  readonly locally: ReadonlySet<number>;
  /** … Redis had taken them nevertheless: somebody received them over another node. */
  readonly elsewhere: ReadonlySet<number>;
  /** The order in which events first came to anybody. */
  readonly arrival: ReadonlyMap<number, number>;
}

export interface Verdict {
  deliveries: number;
  lost: number;
  doubled: number;
  outOfOrder: number;
}

/** One thing that went wrong, for whoever looks for the reason. */
export interface Fault {
  readonly what: 'lost' | 'doubled' | 'out of order';
  readonly event: number;
  readonly phase: number;
  readonly life: Life;
}

const ROOM = 1e7;
const WRITER = 1e9;

export const key = (writer: number, room: number, number: number) =>
  writer * WRITER + room * ROOM + number;
const roomOf = (event: number) => Math.floor((event % WRITER) / ROOM);
export const writerOf = (event: number) => Math.floor(event / WRITER);
/** The same for all events of one writer in one room. */
export const lineOf = (event: number) => event - (event % ROOM);

/**
 * @param found is told of each fault
 * @returns one verdict for each phase
 */
export function judge(
  lives: readonly Life[],
  known: Known,
  phases: number,
  found: (fault: Fault) => void = () => undefined,
): Verdict[] {
  const verdicts = Array.from({ length: phases }, () => ({
    deliveries: 0,
    lost: 0,
    doubled: 0,
    outOfOrder: 0,
  }));
  const existed = new Set(known.accepted);
  const last = new Map<number, number>();
  for (const { received } of lives) for (const event of received) existed.add(event);
  for (const event of existed)
    if (event > (last.get(lineOf(event)) ?? -1)) last.set(lineOf(event), event);
  const owed = (event: number) =>
    existed.has(event) && (!known.locally.has(event) || known.elsewhere.has(event));

  for (const life of lives) {
    const highest = new Map<number, number>();
    const missing = new Map<number, number>();
    const expect = (from: number, to: number, phase: number) => {
      for (let event = from; event < to; event++) if (owed(event)) missing.set(event, phase);
    };
    const seen = new Set<number>();
    life.received.forEach((event, index) => {
      const phase = life.phases[index]!;
      const verdict = verdicts[phase]!;
      verdict.deliveries++;
      if (seen.has(event)) {
        verdict.doubled++;
        found({ what: 'doubled', event, phase, life });
        return;
      }
      seen.add(event);
      const line = lineOf(event);
      const before = highest.get(line);
      if (before === undefined) {
        if (writerOf(event) >= life.owedFrom) expect(line, event, phase);
      } else if (event < before) {
        if (missing.delete(event)) {
          verdict.outOfOrder++;
          found({ what: 'out of order', event, phase, life });
        }
        return;
      } else expect(before + 1, event, phase);
      highest.set(line, event);
    });
    if (life.atEnd)
      for (const [line, end] of last)
        if (life.rooms.has(roomOf(line))) {
          const before = highest.get(line);
          if (before !== undefined) expect(before + 1, end + 1, phases - 1);
          else if (writerOf(line) >= life.owedFrom) expect(line, end + 1, phases - 1);
        }
    for (const [event, phase] of missing) {
      verdicts[phase]!.lost++;
      found({ what: 'lost', event, phase, life });
    }
  }
  for (const { phase, event, life } of contradictions(lives, known)) {
    verdicts[phase]!.outOfOrder++;
    found({ what: 'out of order', event, phase, life });
  }
  return verdicts;
}

/**
 * Deliveries that a session had in another order than another session of the room, beside those that
 * break the writer's own order. The order in which events first came to anybody is taken for the
 * right one; where a session differs, another one must have had the two the other way round.
 */
function contradictions(
  lives: readonly Life[],
  { locally, arrival }: Known,
): { phase: number; event: number; life: Life }[] {
  const rooms = new Map<number, Map<Life, number[]>>();
  const phaseOf = new Map<Life, Map<number, number>>();
  for (const life of lives) {
    const seen = new Map<number, number>();
    phaseOf.set(life, seen);
    life.received.forEach((event, index) => {
      if (seen.has(event) || locally.has(event)) return;
      seen.set(event, life.phases[index]!);
      const room = roomOf(event);
      let sequences = rooms.get(room);
      if (!sequences) rooms.set(room, (sequences = new Map()));
      const sequence = sequences.get(life);
      if (sequence) sequence.push(event);
      else sequences.set(life, [event]);
    });
  }
  const found: { phase: number; event: number; life: Life }[] = [];
  for (const sequences of rooms.values()) {
    const places = new Map<Life, Map<number, number>>();
    const placesOf = (life: Life) => {
      let known = places.get(life);
      if (!known) {
        known = new Map(sequences.get(life)!.map((event, place) => [event, place]));
        places.set(life, known);
      }
      return known;
    };
    const others = [...sequences.keys()];
    for (const [life, sequence] of sequences)
      for (let place = 1; place < sequence.length; place++) {
        const [first, second] = [sequence[place - 1]!, sequence[place]!];
        if (lineOf(first) === lineOf(second)) continue;
        if (arrival.get(first)! < arrival.get(second)!) continue;
        const opposed = others.some((other) => {
          if (other === life) return false;
          const where = placesOf(other);
          const a = where.get(first);
          const b = where.get(second);
          return a !== undefined && b !== undefined && b < a;
        });
        if (opposed) found.push({ phase: phaseOf.get(life)!.get(second)!, event: second, life });
      }
  }
  return found;
}
