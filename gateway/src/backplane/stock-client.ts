import type { Redis } from 'ioredis';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import { reasonOf } from './redis-link.js';

/**
 * A connection as a stock adapter may have it: those drop the promises of subscribe, publish and
 * set, whose rejection would end the process. Here each is caught and counted; who waits for one
 * still gets it.
 * @param instead what the adapter gets in place of the connection's own
 */
export function forStockAdapter(redis: Redis, instead: Record<string, unknown> = {}): Redis {
  return new Proxy(redis, {
    get(target, name) {
      if (typeof name === 'string' && name in instead) return instead[name];
      const own: unknown = Reflect.get(target, name);
      if (typeof own !== 'function') return own;
      return (...args: unknown[]) => {
        const answer: unknown = own.apply(target, args);
        if (answer instanceof Promise)
          answer.catch((error: Error) => {
            metrics.adapterFaults.add();
            if (error.name === 'ReplyError')
              log.error({ command: name, reason: reasonOf(error) }, 'Redis refused an adapter');
          });
        return answer;
      };
    },
  });
}
