import type { Wants } from '../inbox/attendee.js';
import {
  type Client,
  type WriteOptions,
  type WritePackets,
  replaceClient,
  withWrites,
  writeEncoded,
} from './socket-io-internals.js';
import type { SessionSocket } from './session-socket.js';
import { writeTogether } from './write-together.js';

/** What the adapter has written to a session. */
interface Write {
  readonly packets: Parameters<WritePackets>[0];
  readonly options: WriteOptions;
  readonly tag: string | undefined;
}

export interface HoldOptions {
  /** Of the event that the backplane is handing over right now. */
  readonly tag: () => string | undefined;
  /** What may wait. */
  readonly maxBytes: number;
  /** More is waiting than may. */
  readonly onFull: (session: SessionSocket) => void;
}

/**
 * Stands between the backplane and one session, without its direct answers: keeps back what comes
 * live, or lets it through, but for tagged events that are not wanted.
 */
export class Hold {
  private readonly client: Client;
  private writes: Write[] | undefined;
  private bytes = 0;
  private wants: Wants = () => true;

  constructor(
    private readonly session: SessionSocket,
    private readonly options: HoldOptions,
  ) {
    this.client = session.client;
    const client = withWrites(this.client, (...write) => this.write(...write));
    replaceClient(session, client);
  }

  /** What comes from now on waits. */
  keep(wants: Wants): void {
    this.wants = wants;
    this.writes ??= [];
  }

  /** Before anything has come live: what waits first. It is not counted: it was bounded where it was kept. */
  begin(writes: readonly Write['packets'][]): void {
    this.writes = writes.map((packets) => ({ packets, options: {}, tag: undefined }));
  }

  /** What waited is sent, and what comes from now on goes through. @returns tags of what was sent */
  pass(wants: Wants): string[] {
    this.wants = wants;
    const { writes = [] } = this;
    this.writes = undefined;
    this.bytes = 0;
    const sent = writes.filter(({ tag }) => tag === undefined || wants(tag));
    if (sent.length > 0)
      writeTogether(this.client, () => {
        for (const { packets, options } of sent) writeEncoded(this.client, packets, options);
      });
    return sent.flatMap(({ tag }) => tag ?? []);
  }

  /** Nothing stands between any more. */
  end(): string[] {
    const sent = this.pass(() => true);
    replaceClient(this.session, this.client);
    return sent;
  }

  private write(packets: Write['packets'], options: WriteOptions): void {
    const tag = this.options.tag();
    if (tag !== undefined && !this.wants(tag)) return;
    if (!this.writes) {
      writeEncoded(this.client, packets, options);
      return;
    }
    // It is not ready.
    if (options.volatile) return;
    this.writes.push({ packets, options, tag });
    for (const packet of packets) this.bytes += Buffer.byteLength(packet);
    if (this.bytes <= this.options.maxBytes) return;
    this.writes = [];
    this.bytes = 0;
    this.options.onFull(this.session);
  }
}
