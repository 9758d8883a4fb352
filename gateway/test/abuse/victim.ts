import { expect } from 'vitest';
import { Client, connect } from '../client.js';
import { startNode, type NodeEnv, type TestNode } from '../node.js';
import type { Raw } from '../raw.js';

/** A node under attack, and a session on it that minds its own business meanwhile. */
export interface Victim {
  readonly node: TestNode;
  readonly neighbour: Client;
  /** Nothing that was done disturbed the neighbour, was taken for a fault of our own, or crashed. */
  unharmed(): Promise<void>;
  stop(): Promise<void>;
}

export async function startVictim(env: NodeEnv = {}): Promise<Victim> {
  const node = await startNode(env);
  const { client: neighbour } = await connect(node.url, { id: 'neighbour' });
  return {
    node,
    neighbour,
    async unharmed() {
      if (!node.running) throw new Error(`the node ended:\n${node.output}`);
      expect(await neighbour.ask('message', { message: 'still there?' })).toHaveProperty('data');
      expect(neighbour.socket.connected).toBe(true);
      expect(node.lines.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
    },
    async stop() {
      neighbour.close();
      await node.stop();
    },
  };
}

/** Either it was closed, or it answers as if nothing had been: it does not hang. */
export async function closedOrAnswering(raw: Raw): Promise<'closed' | 'answering'> {
  return Promise.race([
    raw.closed.then(() => 'closed' as const),
    raw.answers().then(
      () => 'answering' as const,
      async () => {
        await raw.closed;
        return 'closed' as const;
      },
    ),
  ]);
}

/** Resident memory of the node in bytes. */
export function memory(node: TestNode): Promise<number> {
  return node.metric('process_resident_memory_bytes');
}
