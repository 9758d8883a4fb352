import type { Way } from '../run/balancer.ts';

/** What can be wrong with a gateway; every hundredth event suffers it (`corrupts`: one; `reorders`: every tenth), or every one is slow, or becomes so. */
export type Fault = 'drops' | 'doubles' | 'reorders' | 'corrupts' | 'is slow' | 'tires';

const EVERY = 100;
/** Two events are out of order only where one person sent both: with many senders most that change places are not. */
const REORDER_EVERY = 10;
const SLOW_MS = 600;
const TIRED_MS = 1500;
/** Events after which a gateway that tires is slow. */
const FRESH = 230;

/** A gateway with a fault that can be chosen: what nodes write to clients passes through here. */
export class Planted {
  private fault: Fault | undefined;
  private events = 0;

  /** From now on it has this fault; without one it is fine. */
  plant(fault?: Fault): void {
    this.fault = fault;
    this.events = 0;
  }

  /** What stands in the way of one connection. */
  readonly newWay = (): Way => {
    const frames = new Frames();
    let held: Buffer | undefined;
    return (chunk, forward) => {
      for (const part of frames.of(chunk)) {
        if (part.isEvent) this.events++;
        const every = this.fault === 'reorders' ? REORDER_EVERY : EVERY;
        const isHit = part.isEvent && this.events % every === 0;
        const isTired = this.fault === 'tires' && this.events > FRESH;
        if (held && part.isEvent) {
          forward(Buffer.concat([part.bytes, held]));
          held = undefined;
        } else if (isHit && this.fault === 'reorders') held = part.bytes;
        else if (isHit && this.fault === 'doubles')
          forward(Buffer.concat([part.bytes, part.bytes]));
        else if (isHit && this.fault === 'drops') continue;
        // It ends the VU of k6 that hears it; without any, k6 itself ends.
        else if (isHit && this.events === EVERY && this.fault === 'corrupts')
          forward(corrupted(part.bytes));
        else if (this.fault === 'is slow' || isTired)
          setTimeout(() => forward(part.bytes), isTired ? TIRED_MS : SLOW_MS);
        else forward(part.bytes);
      }
    };
  };
}

interface Part {
  readonly bytes: Buffer;
  /** A WebSocket frame that is an event of Socket.IO. */
  readonly isEvent: boolean;
}

/** Takes what a server writes apart: the head of its answer, then WebSocket frames, which have no mask. Plain HTTP stays whole. */
class Frames {
  private rest: Buffer = Buffer.alloc(0);
  private isOpen = false;
  private isPlain = false;

  /** @returns what is complete */
  of(chunk: Buffer): Part[] {
    this.isPlain ||= !this.isOpen && chunk.toString('latin1', 0, 12) !== 'HTTP/1.1 101';
    if (this.isPlain) return [{ bytes: chunk, isEvent: false }];
    this.rest = Buffer.concat([this.rest, chunk]);
    const parts: Part[] = [];
    for (let end = this.end(); end > 0 && end <= this.rest.length; end = this.end()) {
      const bytes = this.rest.subarray(0, end);
      const payload = bytes.subarray(headOf(bytes));
      parts.push({
        bytes,
        isEvent: this.isOpen && /^42[[/]/.test(payload.toString('latin1', 0, 3)),
      });
      this.rest = this.rest.subarray(end);
      this.isOpen = true;
    }
    return parts;
  }

  /** Where the first part ends; 0 when that cannot be said yet. */
  private end(): number {
    const { rest } = this;
    if (!this.isOpen) return rest.indexOf('\r\n\r\n') + 4 === 3 ? 0 : rest.indexOf('\r\n\r\n') + 4;
    if (rest.length < 2 || rest.length < headOf(rest)) return 0;
    const short = rest[1]! & 127;
    if (short < 126) return 2 + short;
    return short === 126 ? 4 + rest.readUInt16BE(2) : 10 + Number(rest.readBigUInt64BE(2));
  }
}

/** The same event with nothing in it, as long as it was. */
function corrupted(frame: Buffer): Buffer {
  const [head, text] = [frame.subarray(0, headOf(frame)), frame.toString('utf8', headOf(frame))];
  const name = text.slice(0, text.indexOf(',') + 1);
  const nothing = `${name}null${' '.repeat(Buffer.byteLength(text) - name.length - 5)}]`;
  return Buffer.concat([head, Buffer.from(nothing)]);
}

/** Of a frame. */
function headOf(frame: Buffer): number {
  const short = frame[1]! & 127;
  return short < 126 ? 2 : short === 126 ? 4 : 10;
}
