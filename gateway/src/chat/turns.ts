/**
 * Lets so many do something at once, the others wait for their turn: when thousands connect at the
 * same moment, what they ask of the database waits here, and messages do not wait behind it.
 */
export class Turns {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(atOnce: number) {
    this.free = atOnce;
  }

  /** @param urgent before all who wait: for what many wait for together */
  async take<T>(act: () => Promise<T>, urgent = false): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else
      await new Promise<void>((resolve) =>
        urgent ? this.waiting.unshift(resolve) : this.waiting.push(resolve),
      );
    try {
      return await act();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}
