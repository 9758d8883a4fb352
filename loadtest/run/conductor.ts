import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What k6 is told when it asks: first people connect, then the load begins, then it has ended. */
export type Phase =
  | { readonly phase: 'connect' }
  /** @property at when it began, ms since the epoch */
  | { readonly phase: 'go'; readonly at: number }
  /** @property sent events that services have written in all */
  | { readonly phase: 'end'; readonly at: number; readonly sent: number };

/** Tells k6, over HTTP on loopback, when the load begins and ends: what happens meanwhile the runner knows. */
export class Conductor {
  private state: Phase = { phase: 'connect' };
  private ready = 0;
  private readonly waiting = new Set<() => void>();
  private readonly server = createServer((request, response) => {
    request.resume();
    if (request.url === '/ready') {
      this.ready++;
      for (const wake of this.waiting) wake();
    }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(this.state));
  });

  static async start(): Promise<Conductor> {
    const conductor = new Conductor();
    conductor.server.listen(0, '127.0.0.1');
    await once(conductor.server, 'listening');
    return conductor;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Resolves when so many VUs of k6 have their people connected. */
  async areReady(vus: number): Promise<void> {
    while (this.ready < vus) await new Promise<void>((resolve) => this.waiting.add(resolve));
  }

  /** @returns when it began, ms since the epoch */
  go(): number {
    // People hear of it when they ask next.
    const at = Date.now() + LEAD_MS;
    this.state = { phase: 'go', at };
    return at;
  }

  end(sent: number): void {
    if (this.state.phase === 'go') this.state = { phase: 'end', at: this.state.at, sent };
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** How often VUs ask, and a little. */
const LEAD_MS = 500;
