import type { Redis } from 'ioredis';
import type { Node } from './cluster.ts';

type Command = Parameters<Redis['sendCommand']>[0];

/** Keeps answers of Redis from a node, as if it lagged behind or the network did. */
class Held {
  private readonly held: (() => void)[] = [];
  private holding = true;

  /** @param port of the one Redis that is meant; default: all */
  constructor(node: Node, isMeant: (command: Command, reply: unknown) => boolean, port?: number) {
    for (const redis of node.candidate.connections) {
      if (port !== undefined && redis.options.port !== port) continue;
      const send = redis.sendCommand.bind(redis);
      redis.sendCommand = (command, ...more) => {
        const answer = this.keep(send(command, ...more), (reply) => isMeant(command, reply));
        // The client looks at some of its own commands only where it made them.
        answer.catch(() => undefined);
        return answer;
      };
    }
  }

  /** Answers that came, and that the node does not have. */
  get waiting(): number {
    return this.held.length;
  }

  private async keep(answer: unknown, isMeant: (reply: unknown) => boolean): Promise<unknown> {
    const reply = await answer;
    if (this.holding && isMeant(reply))
      await new Promise<void>((resolve) => this.held.push(resolve));
    return reply;
  }

  letOne(): void {
    this.held.shift()?.();
  }

  letAll(): void {
    this.holding = false;
    for (const go of this.held.splice(0)) go();
  }
}

/** What it has read of its mailbox; a read that is under way already is not held. */
export class HeldReads extends Held {
  constructor(node: Node, port?: number) {
    super(node, ({ name }, reply) => name.toLowerCase() === 'xread' && reply !== null, port);
  }
}

/** That Redis has taken what it published. */
export class HeldAnswers extends Held {
  constructor(node: Node) {
    // Digest, number of keys, base, node, until when; then the key of the first event.
    const isEvent = (args: Command['args']) =>
      /^\d{13,}$/.test(String(args[4])) && String(args[5]).startsWith('r:');
    super(node, ({ name, args }) => name.toLowerCase() === 'evalsha' && isEvent(args));
  }
}
