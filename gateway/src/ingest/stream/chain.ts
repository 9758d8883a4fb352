/** What is done in one call. */
export interface Batch {
  /** The last of its entries. */
  readonly last: string;
  readonly bytes: number;
}

/** A batch that was begun. */
export interface Link extends Batch {
  readonly done: Promise<void>;
}

/**
 * Batches under way, one behind the other. That none is done before those in front of it is for the ledger
 * to see to (`chains`).
 */
export class Chain {
  private links: Link[] = [];

  /** @param bytes of all that is under way, unless it is one */
  constructor(private readonly bytes: number) {}

  /**
   * Resolves when the batch has begun: as soon as there is room for it.
   * @param most batches under way, this one included
   * @param act does it; is told what it comes behind, when that is still under way
   * @throws what an earlier one failed with
   */
  async put(
    batch: Batch,
    most: number,
    act: (before: Link | undefined) => Promise<void>,
  ): Promise<void> {
    while (this.links.length >= most || this.isFull(batch)) await this.links[0]!.done;
    const link = { ...batch, done: act(this.links.at(-1)) };
    this.links.push(link);
    link.done.then(
      () => this.links.splice(this.links.indexOf(link), 1),
      // It stays until somebody has heard of it.
      () => undefined,
    );
  }

  /** Resolves when all is done. @throws what a batch failed with, of several the first */
  async end(): Promise<void> {
    for (const { done } of [...this.links]) await done;
  }

  /** Resolves when nothing is under way any more, and forgets what failed. */
  async clear(): Promise<void> {
    await Promise.allSettled(this.links.map(({ done }) => done));
    this.links = [];
  }

  private isFull({ bytes }: Batch): boolean {
    const all = this.links.reduce((sum, link) => sum + link.bytes, bytes);
    return this.links.length > 0 && all > this.bytes;
  }
}
