/** One hot room and many small ones, with senders among their members: how long until all have heard. */
import type { Socket } from '../lib/socket.ts';
import { after } from '../lib/timers.ts';
import { Person } from './crowd.ts';
import { Ledger } from './ledger.ts';
import { account, arrival, measures } from './measures.ts';
import { apart, crowd, INTACT } from './options.ts';
import { settings } from './settings.ts';
import { speakTogether } from './speakers.ts';

const { sessions, seconds, rates, bytes } = settings;
/** Of all people, in the hot room. */
const HOT = Math.ceil(sessions * 0.6);
const HOT_SENDERS = Math.min(5, HOT);
const SMALL_SIZE = 5;
const SMALL = Math.max(1, Math.ceil((sessions - HOT) / SMALL_SIZE));
/** Half of the messages go to the hot room, one in each small room sends the others. */
const KINDS = {
  hot: { senders: HOT_SENDERS, rate: rates[0]! / 2 },
  small: { senders: SMALL, rate: rates[0]! / 2 },
};
const pad = 'x'.repeat(bytes);

export const options = crowd(
  {
    ...INTACT,
    load_refused: ['count==0'],
    load_delivery: [`p(99)<${settings.deliveryMs}`],
    ...apart('load_delivery', 'room', ['hot', 'small']),
  },
  false,
);

class Member extends Person {
  readonly kind: keyof typeof KINDS;
  /** Of this kind; undefined who only listens. */
  readonly sender: number | undefined;
  private readonly room: string;
  private readonly heard = new Map<number, Ledger>();
  private readonly tags: { room: string };
  private hasJoined = false;

  constructor(index: number) {
    super(index);
    const rank = index - HOT;
    const isHot = rank < 0;
    this.kind = isHot ? 'hot' : 'small';
    this.tags = { room: this.kind };
    const small = Math.floor(rank / SMALL_SIZE);
    this.room = `${settings.run}-${isHot ? 'hot' : small}`;
    if (isHot && index < HOT_SENDERS) this.sender = index;
    if (!isHot && rank % SMALL_SIZE === 0) this.sender = small;
    const senders = isHot ? Array.from({ length: HOT_SENDERS }, (_, nth) => nth) : [small];
    for (const sender of senders) this.heard.set(sender, new Ledger());
    this.socket.on('connect', () => this.join(this.socket));
    this.socket.on('room-message', ({ message }: { message: string }) => this.hear(message));
  }

  override get isReady(): boolean {
    return this.isConnected && this.hasJoined;
  }

  /** Sends its share at the times at which it is due. @param began ms since the epoch */
  speak(began: number, nth = 0): void {
    if (this.sender === undefined || nth === shareOf(this.kind)) return;
    const { rate, senders } = KINDS[this.kind];
    const at = began + ((nth * senders + this.sender) * 1000) / rate;
    after(at - Date.now(), () => {
      const message = `${this.sender} ${nth} ${at} ${pad}`;
      this.socket.emit('room-message', { room: this.room, message });
      this.speak(began, nth + 1);
    });
  }

  get isComplete(): boolean {
    return [...this.heard.values()].every((ledger) => ledger.lost(shareOf(this.kind)) === 0);
  }

  account(): void {
    for (const ledger of this.heard.values()) account(ledger, shareOf(this.kind));
  }

  private join(socket: Socket): void {
    if (socket.recovered) return;
    socket.emit('join-room', { room: this.room }, (answer: { error?: unknown }) => {
      measures.refused.add(answer.error ? 1 : 0);
      this.hasJoined = true;
    });
  }

  private hear(message: string): void {
    const [sender, n, at] = message.split(' ', 3).map(Number);
    measures.delivery.add(arrival(this.socket, at!), this.tags);
    this.heard.get(sender!)?.take(n!);
  }
}

export default function (): Promise<void> {
  return speakTogether((index) => new Member(index));
}

/** Messages of each sender. */
function shareOf(kind: keyof typeof KINDS): number {
  const { rate, senders } = KINDS[kind];
  return Math.floor((rate * seconds) / senders);
}
