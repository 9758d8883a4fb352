import { GatewayError } from '@streamgate/protocol/errors';
import type { InboxStore, Look, Page } from './store.js';

interface Asked {
  readonly look: Look;
  readonly resolve: (page: Page | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Asks the store once for all who look in one turn of the event loop. */
export class Looks {
  private asked: Asked[] = [];

  constructor(private readonly store: Pick<InboxStore, 'look'>) {}

  /** @throws GatewayError `backplane_unavailable`, `internal`: this inbox is broken */
  look(look: Look): Promise<Page | undefined> {
    return new Promise((resolve, reject) => {
      if (this.asked.push({ look, resolve, reject }) === 1)
        setImmediate(() => {
          const { asked } = this;
          this.asked = [];
          void this.ask(asked);
        });
    });
  }

  private async ask(asked: readonly Asked[]): Promise<void> {
    try {
      const pages = await this.store.look(asked.map(({ look }) => look));
      for (const [index, { resolve, reject }] of asked.entries()) {
        const page = pages[index];
        if (page instanceof GatewayError) reject(page);
        else resolve(page);
      }
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }
}
