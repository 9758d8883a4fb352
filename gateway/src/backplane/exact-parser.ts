import { decode, encode } from '@msgpack/msgpack';
import { metrics } from '../ops/metrics.js';

const OBJECT = '{'.charCodeAt(0);
const ARRAY = '['.charCodeAt(0);

/**
 * For the stock pub/sub adapter, whose own parser (notepack) changes numbers such as 1e21: JSON, and
 * MessagePack where there is binary. Neither a MessagePack array nor object begins as JSON does.
 */
export const exactParser = {
  encode(message: unknown): Buffer {
    return hasBinary(message)
      ? Buffer.from(encode(message, { ignoreUndefined: true }))
      : Buffer.from(JSON.stringify(message));
  },

  /** What no node wrote is an empty message, which stock ignores: a throw would end the process. */
  decode(bytes: Buffer): unknown {
    try {
      return isJson(bytes) ? JSON.parse(bytes.toString()) : decode(bytes);
    } catch {
      metrics.adapterFaults.add();
      return [];
    }
  },
};

function isJson(bytes: Buffer): boolean {
  return bytes[0] === OBJECT || bytes[0] === ARRAY;
}

function hasBinary(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return true;
  return Object.values(value).some(hasBinary);
}
