import type { Node } from './cluster.ts';

/** Keeps from a node what it has read of its mailbox, as if it lagged behind. */
export class HeldReads {
  private readonly held: (() => void)[] = [];
  private holding = true;

  /** @param port of the one Redis of which it is kept; default: of all */
  constructor(node: Node, port?: number) {
    for (const redis of node.candidate.connections) {
      if (port !== undefined && redis.options.port !== port) continue;
      const send = redis.sendCommand.bind(redis);
      redis.sendCommand = async (command, ...more) => {
        const reply = await send(command, ...more);
        if (this.holding && command.name.toLowerCase() === 'xread' && reply !== null)
          await new Promise<void>((resolve) => this.held.push(resolve));
        return reply;
      };
    }
  }

  /** Reads that were answered, and whose answer the node does not have. */
  get waiting(): number {
    return this.held.length;
  }

  letOne(): void {
    this.held.shift()?.();
  }

  letAll(): void {
    this.holding = false;
    for (const go of this.held.splice(0)) go();
  }
}
