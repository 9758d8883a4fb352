import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Message } from '@streamgate/protocol/chat';
import { GatewayError } from '@streamgate/protocol/errors';
import type { Attendee } from '../inbox/attendee.js';
import { Served, type Desk } from './served.js';

const TIME = '2026-11-21T09:30:00.000Z';

function message(seq: number, content = `m${seq}`): Message {
  const ids = { id: seq, conversation_id: 1, sender_id: 1, seq };
  return { ...ids, message_type: 'text', content, created_at: TIME, updated_at: TIME };
}

/** A store whose answers can be kept back or fail, and the sessions of one node. */
class Bench {
  readonly kept: Message[] = [];
  away = false;
  pageSize = 3;
  reads = 0;
  /** Resolved one by one when set. */
  gate: (() => Promise<void>) | undefined;
  readonly sessions: FakeSession[] = [];
  readonly gaps: string[] = [];
  /** When what was handed on had been written. */
  readonly origins: number[] = [];
  readonly served: Served;

  constructor(catchUpMax = 1000) {
    const read = async <T>(answer: () => T): Promise<T> => {
      this.reads += 1;
      await this.gate?.();
      if (this.away) throw new GatewayError('database_unavailable');
      return answer();
    };
    const desk: Desk = {
      catchUpMax,
      newest: () => read(() => this.kept.at(-1)?.seq ?? 0),
      after: (seq) =>
        read(() => {
          const later = this.kept.filter((each) => each.seq > seq);
          return { messages: later.slice(0, this.pageSize), more: later.length > this.pageSize };
        }),
      deliver: ({ event, payload, origin }, except) => {
        if (origin) this.origins.push(origin.written);
        for (const session of this.sessions)
          if (session.inRoom && !except.includes(session.id)) session.got.push([event, payload]);
      },
      failed: () => {},
      gap: (outcome) => this.gaps.push(outcome),
      chunkChars: 10,
    };
    this.served = new Served(1, desk);
  }

  keep(...seqs: number[]): void {
    for (const seq of seqs) this.kept.push(message(seq));
  }

  /** Other nodes say so, in this order. */
  hear(...seqs: number[]): void {
    for (const seq of seqs)
      this.served.hear({ seq, event: 'receive-message', payload: message(seq) });
  }

  /** What happens before the store gives its nth answer. */
  before(nth: number, happen: () => void): void {
    this.gate = async () => {
      if (this.reads === nth) happen();
    };
  }

  async join(session: FakeSession, since?: number): Promise<number> {
    this.sessions.push(session);
    return this.served.join(session as unknown as Attendee, since, async () => {
      session.inRoom = true;
      await Promise.resolve();
    });
  }
}

class FakeSession {
  connected = true;
  inRoom = false;
  readonly got: [string, unknown][] = [];

  constructor(readonly id: string) {}

  isIn(): boolean {
    return this.inRoom;
  }

  async deliver(events: [string, unknown][]): Promise<boolean> {
    await Promise.resolve();
    if (!this.connected) return false;
    this.got.push(...events);
    return true;
  }

  send(event: string, payload: unknown): void {
    this.got.push([event, payload]);
  }

  get events(): string[] {
    return this.got.map(([event]) => event);
  }

  get seqs(): number[] {
    return this.got.flatMap(([event, payload]) =>
      event === 'receive-message' ? (payload as Message).seq : [],
    );
  }

  get reloads(): unknown[] {
    return this.got.flatMap(([event, payload]) => (event === 'reload-since' ? [payload] : []));
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('order', () => {
  test('what comes in order is handed on at once', async () => {
    const bench = new Bench();
    const a = new FakeSession('a');
    expect(await bench.join(a)).toBe(0);
    const reads = bench.reads;
    bench.hear(1, 2, 3);
    expect(a.seqs).toEqual([1, 2, 3]);
    expect(bench.reads).toBe(reads);
  });

  test('a later one waits for the one before it, and what comes twice is told once', async () => {
    const bench = new Bench();
    const a = new FakeSession('a');
    await bench.join(a);
    const reads = bench.reads;
    bench.hear(2, 3);
    expect(a.seqs).toEqual([]);
    bench.hear(1, 1, 2, 3);
    await vi.advanceTimersByTimeAsync(1000);
    expect(a.seqs).toEqual([1, 2, 3]);
    expect(bench.reads).toBe(reads);
  });

  test('where it comes from goes with it, also when it had to wait', async () => {
    const bench = new Bench();
    await bench.join(new FakeSession('a'));
    const hear = (seq: number, written: number, event = 'receive-message') => {
      const origin = { door: 'client', written } as const;
      bench.served.hear({ seq, event, payload: message(seq), origin });
    };
    hear(2, 1002);
    hear(2, 1003, 'message-updated');
    hear(1, 1001);
    expect(bench.origins).toEqual([1001, 1002, 1003]);
  });

  test('what does not come is fetched', async () => {
    const bench = new Bench();
    const a = new FakeSession('a');
    await bench.join(a);
    bench.keep(1, 2, 3, 4, 5, 6, 7, 8);
    bench.hear(8);
    await vi.advanceTimersByTimeAsync(1000);
    expect(a.seqs).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(a.reloads).toEqual([]);
    expect(bench.gaps).toEqual(['fetched']);
  });

  test('what is held is handed on as the store has it by then', async () => {
    const bench = new Bench();
    const a = new FakeSession('a');
    await bench.join(a);
    bench.keep(1);
    bench.kept.push(message(2, 'edited, and the word of it lost'));
    const origin = { door: 'client', written: 1002 } as const;
    bench.served.hear({ seq: 2, event: 'receive-message', payload: message(2), origin });
    await vi.advanceTimersByTimeAsync(1000);
    expect(a.got).toEqual([
      ['receive-message', message(1)],
      ['receive-message', message(2, 'edited, and the word of it lost')],
    ]);
    expect(bench.origins).toEqual([1002]);
  });

  test('the store is asked until it answers', async () => {
    const bench = new Bench();
    const a = new FakeSession('a');
    await bench.join(a);
    bench.keep(1, 2);
    bench.away = true;
    bench.hear(2);
    await vi.advanceTimersByTimeAsync(2000);
    expect(a.got).toEqual([]);
    bench.away = false;
    await vi.advanceTimersByTimeAsync(1000);
    expect(a.seqs).toEqual([1, 2]);
  });

  test('what cannot be had is to be loaded again, and live ones go on', async () => {
    const bench = new Bench();
    const a = new FakeSession('a');
    await bench.join(a);
    bench.hear(1);
    bench.away = true;
    bench.hear(3);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(a.seqs).toEqual([1]);
    expect(a.reloads).toEqual([{ conversationId: 1, since: 1 }]);
    expect(bench.gaps).toEqual(['given_up']);
    bench.hear(4);
    expect(a.seqs).toEqual([1, 4]);
  });

  test('the same when the store does not have it', async () => {
    const bench = new Bench();
    const a = new FakeSession('a');
    await bench.join(a);
    bench.hear(2);
    await vi.advanceTimersByTimeAsync(100);
    expect(a.reloads).toEqual([{ conversationId: 1, since: 0 }]);
    bench.hear(3);
    expect(a.seqs).toEqual([3]);
  });

  test('what was said while nobody could be heard is fetched, when it can be', async () => {
    const bench = new Bench();
    const a = new FakeSession('a');
    await bench.join(a);
    bench.keep(1, 2, 3, 4);
    bench.away = true;
    bench.served.suspect();
    await vi.advanceTimersByTimeAsync(20_000);
    bench.away = false;
    await vi.advanceTimersByTimeAsync(1000);
    expect(a.got.map(([event]) => event)).toEqual(Array(4).fill('receive-message'));
    bench.away = true;
    bench.served.suspect();
    bench.served.close();
    await vi.advanceTimersByTimeAsync(1000);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('what becomes of a message is told after it', async () => {
    const bench = new Bench();
    const a = new FakeSession('a');
    const b = new FakeSession('b');
    await bench.join(a);
    await bench.join(b);
    bench.served.hear({ seq: 1, event: 'message-updated', payload: 'x', exceptSession: 'b' });
    expect(a.got).toEqual([]);
    bench.hear(1);
    bench.served.hear({ seq: 1, event: 'message-deleted', payload: 'y' });
    expect(a.events).toEqual(['receive-message', 'message-updated', 'message-deleted']);
    expect(b.events).toEqual(['receive-message', 'message-deleted']);
  });
});

describe('joining', () => {
  test('without since it is sent what comes, and nothing of before', async () => {
    const bench = new Bench();
    bench.keep(1, 2, 3);
    const a = new FakeSession('a');
    expect(await bench.join(a)).toBe(3);
    bench.hear(3, 4);
    expect(a.seqs).toEqual([4]);
  });

  test('with since it is sent what it missed, over many pages', async () => {
    const bench = new Bench();
    bench.keep(1, 2, 3, 4, 5, 6, 7, 8, 9);
    const a = new FakeSession('a');
    expect(await bench.join(a, 1)).toBe(9);
    expect(a.seqs).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('with more than can be sent it is told to load them', async () => {
    const bench = new Bench(5);
    bench.keep(1, 2, 3, 4, 5, 6, 7);
    const a = new FakeSession('a');
    expect(await bench.join(a, 1)).toBe(7);
    expect(a.got).toEqual([['reload-since', { conversationId: 1, since: 1 }]]);
    bench.hear(8);
    expect(a.seqs).toEqual([8]);
  });

  test('a since that was never reached is as none', async () => {
    const bench = new Bench();
    bench.keep(1, 2);
    const a = new FakeSession('a');
    expect(await bench.join(a, 99)).toBe(2);
    bench.hear(3);
    expect(a.seqs).toEqual([3]);
  });

  test('a since from a node that is further makes this one catch up', async () => {
    const bench = new Bench();
    bench.keep(1);
    const a = new FakeSession('a');
    await bench.join(a);
    bench.keep(2, 3);
    const b = new FakeSession('b');
    expect(await bench.join(b, 3)).toBe(3);
    bench.hear(2, 3, 4);
    expect(a.seqs).toEqual([2, 3, 4]);
    expect(b.seqs).toEqual([4]);
  });

  test('what is said meanwhile comes once, whatever comes first', async () => {
    const bench = new Bench();
    bench.keep(1, 2, 3, 4);
    const a = new FakeSession('a');
    await bench.join(a);
    const waiting: (() => void)[] = [];
    bench.gate = () => new Promise((resolve) => waiting.push(resolve));
    const b = new FakeSession('b');
    const joined = bench.join(b, 0);
    for (let seq = 5; seq <= 12; seq += 1) {
      bench.keep(seq);
      if (seq !== 7) bench.hear(seq);
      if (seq === 9) bench.hear(7);
      await vi.advanceTimersByTimeAsync(1);
      waiting.shift()?.();
      await vi.advanceTimersByTimeAsync(1);
    }
    bench.gate = undefined;
    for (const open of waiting) open();
    await vi.advanceTimersByTimeAsync(1000);
    const last = await joined;
    const live = b.seqs.filter((seq) => seq > last);
    expect(b.seqs).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(a.seqs).toEqual([5, 6, 7, 8, 9, 10, 11, 12]);
    expect(live.length + last).toBe(12);
  });

  test('one that fails is not sent anything, and others are', async () => {
    const bench = new Bench();
    const a = new FakeSession('a');
    await bench.join(a);
    bench.away = true;
    const b = new FakeSession('b');
    await expect(bench.join(b, 0)).rejects.toMatchObject({ code: 'database_unavailable' });
    b.inRoom = false;
    bench.hear(1);
    expect(a.seqs).toEqual([1]);
    expect(bench.served.isJoining).toBe(false);
  });

  test('one that is taken out meanwhile hears nothing of later, and is told so', async () => {
    const bench = new Bench();
    bench.keep(1, 2, 3, 4, 5, 6);
    const a = new FakeSession('a');
    bench.before(3, () => {
      a.inRoom = false;
      bench.keep(7, 8, 9);
      bench.hear(7, 8, 9);
    });
    await expect(bench.join(a, 0)).rejects.toMatchObject({ code: 'conversation_not_found' });
    expect(a.seqs).toEqual([1, 2, 3]);
    expect(bench.served.isJoining).toBe(false);
  });

  test('also when that was the last page', async () => {
    const bench = new Bench();
    bench.keep(1, 2, 3);
    const a = new FakeSession('a');
    const joined = bench.join(a, 0);
    a.deliver = async (events) => {
      a.got.push(...events);
      a.inRoom = false;
      return true;
    };
    await expect(joined).rejects.toMatchObject({ code: 'conversation_not_found' });
    expect(a.seqs).toEqual([1]);
  });

  test('what becomes meanwhile of messages that it has is told behind them', async () => {
    const bench = new Bench();
    bench.keep(1, 2, 3, 4, 5, 6, 7, 8, 9);
    const a = new FakeSession('a');
    // The second page has been asked for.
    bench.before(3, () => {
      bench.served.hear({ seq: 1, event: 'message-deleted', payload: {} });
      bench.served.hear({ seq: 6, event: 'message-updated', payload: {} });
      bench.served.hear({ seq: 2, event: 'message-updated', payload: {}, exceptSession: 'a' });
    });
    await bench.join(a, 0);
    expect(a.seqs).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(a.events.slice(0, 8)).toEqual([
      ...Array(6).fill('receive-message'),
      ...['message-deleted', 'message-updated'],
    ]);
    expect(a.got).toHaveLength(11);
  });

  test('the same before this node knows what the newest is', async () => {
    const bench = new Bench();
    bench.keep(1, 2);
    const [a, b] = [new FakeSession('a'), new FakeSession('b')];
    bench.before(1, () => {
      bench.served.hear({ seq: 1, event: 'message-deleted', payload: {} });
    });
    await Promise.all([bench.join(a, 2), bench.join(b)]);
    expect([a.events, b.events]).toEqual([['message-deleted'], ['message-deleted']]);
  });

  test('more than can be held is to be loaded again', async () => {
    const bench = new Bench();
    bench.keep(1, 2, 3, 4);
    const a = new FakeSession('a');
    bench.before(2, () => {
      for (let each = 0; each <= 1000; each += 1)
        bench.served.hear({ seq: 1, event: 'message-read', payload: {} });
    });
    await bench.join(a, 1);
    expect(a.seqs).toEqual([2, 3, 4]);
    expect(a.got).toHaveLength(4);
    expect(a.reloads).toEqual([{ conversationId: 1, since: 1 }]);
  });

  test('one that has joined, asks again and fails is told to load what it was not told', async () => {
    const bench = new Bench();
    const a = new FakeSession('a');
    await bench.join(a);
    bench.hear(1);
    bench.away = true;
    bench.before(2, () => bench.hear(2));
    await expect(bench.served.join(a as never, undefined, async () => {})).rejects.toMatchObject({
      code: 'database_unavailable',
    });
    expect(a.reloads).toEqual([{ conversationId: 1, since: 1 }]);
    bench.hear(3);
    expect(a.seqs).toEqual([1, 3]);
  });

  test('one that ends meanwhile is waited for no longer', async () => {
    const bench = new Bench();
    bench.keep(1, 2, 3, 4, 5, 6);
    const a = new FakeSession('a');
    a.connected = false;
    await bench.join(a, 0);
    expect(bench.served.isJoining).toBe(false);
  });
});

test.each(Array.from({ length: 50 }, (_, seed) => seed))(
  'in whatever order things happen, everyone sees one gapless order (%i)',
  async (seed) => {
    const random = randomFrom(seed);
    const bench = new Bench();
    const unheard: number[] = [];
    const joins: { session: FakeSession; since: number | undefined; last: Promise<number> }[] = [];
    bench.gate = () => new Promise((resolve) => setTimeout(resolve, random(60)));
    let seq = 0;
    for (let step = 0; step < 200; step += 1) {
      const dice = random(10);
      if (dice < 4) {
        seq += 1;
        bench.keep(seq);
        // Some notices are lost.
        if (random(8) > 0) unheard.splice(random(unheard.length + 1), 0, seq);
      } else if (dice < 8 && unheard.length > 0) {
        const [heard] = unheard.splice(random(unheard.length), 1);
        bench.hear(heard!);
      } else if (dice === 8 && joins.length < 10) {
        const session = new FakeSession(`s${joins.length}`);
        const since = random(2) === 0 ? undefined : random(seq + 1);
        joins.push({ session, since, last: bench.join(session, since) });
      } else await vi.advanceTimersByTimeAsync(random(40));
    }
    seq += 1;
    bench.keep(seq);
    bench.hear(...unheard, seq);
    await vi.advanceTimersByTimeAsync(20_000);
    for (const { session, since, last } of joins) {
      const from = since ?? (await last);
      const wanted = Array.from({ length: seq - from }, (_, index) => from + 1 + index);
      expect(session.seqs).toEqual(wanted);
      expect(session.reloads).toEqual([]);
    }
  },
);

/** The same every time: a linear congruential generator (Numerical Recipes). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed * 7919 + 1;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
