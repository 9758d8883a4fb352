import { after, cancel, delay, every } from '../../lib/timers.ts';

export const options = { vus: 1, iterations: 2 };

/** Timers that would make k6's own fire too early: each says when it was due and when it came. */
export default async function main(): Promise<void> {
  const start = Date.now();
  const came: [due: number, at: number][] = [];
  const work = (ms: number) => {
    const end = Date.now() + ms;
    while (Date.now() < end);
  };
  const set = (ms: number, then = () => {}) => {
    const due = Date.now() - start + ms;
    return after(ms, () => {
      came.push([due, Date.now() - start]);
      then();
    });
  };
  const never = after(20_000, () => came.push([Infinity, 0]));
  set(150, () => cancel(never));
  set(400);
  set(300);
  cancel(set(200, () => came.push([Infinity, 0])));
  set(50, () => {
    set(0, () => work(15));
    work(15);
  });
  const ticks: number[] = [];
  const clock = every(20, (due) => {
    ticks.push(due - start);
    if (ticks.length === 2) work(70);
    if (ticks.length === 10) cancel(clock);
  });
  await delay(100);
  came.push([100, Date.now() - start]);
  await delay(320);
  console.log(JSON.stringify({ start, came, ticks: ticks.map((tick) => tick - (ticks[0] ?? 0)) }));
}
