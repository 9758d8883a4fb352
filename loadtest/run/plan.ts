import type { Check, Figure, Measured } from './measured.ts';
import type { Stage } from './stage.ts';

/** How large a run is. */
export interface Size {
  readonly sessions: number;
  /** The load's; what goes wrong on purpose may make it longer. */
  readonly seconds: number;
  /** Events a second, one after the other for equal times. */
  readonly rates: readonly number[];
}

/** What surrounds a drama: it changes it, and notes what it sees. */
export interface Scene {
  readonly stage: Stage;
  readonly size: Size;
  /** Begins the names of all people: person `i` is `<run>-<i>`. */
  readonly run: string;
  /** When the load began, ms since the epoch. */
  readonly at: number;
  /** Goes into the report, by name. */
  readonly facts: Record<string, number>;
  readonly say: (line: string) => void;
  /** Further processes of the run. */
  readonly ours: number[];
}

/** A scenario, as the runner knows it. Its script for k6 is `../scenarios/<name>.ts`. */
export interface Plan {
  readonly name: string;
  /** What it asks, in a line. */
  readonly asks: string;
  readonly size: Size;
  /** Does it run, and can it fail. */
  readonly smoke: Size;
  readonly settleSeconds?: number;
  /** It begins and ends by k6's clock: nobody has to be connected before. */
  readonly byClock?: boolean;
  /** Nobody is sent anything. */
  readonly isSilent?: boolean;
  /** Services write to the stream. */
  readonly services?: boolean;
  /** People reach the nodes through the balancer. */
  readonly network?: boolean;
  readonly needsChat?: boolean;
  /** The gateway to compare with can do it too. */
  readonly withStock?: boolean;
  /** It is a search for the most sessions, from those of its size on; a smoke run tries that size only. */
  readonly searches?: boolean;
  /** Settings of our nodes. */
  readonly env?: (size: Size) => Readonly<Record<string, string>>;
  /** What happens meanwhile. The load ends when it has. */
  readonly drama?: (scene: Scene) => Promise<void>;
  /** What nodes have and use is read before people come and while they are there. */
  readonly weighs?: boolean;
  /** It takes Redis away: writers wait for it, which is not their fault. */
  readonly takesRedis?: boolean;
  readonly figures: (measured: Measured) => Figure[];
  /** Beside the thresholds of the script. */
  readonly checks?: (measured: Measured) => Check[];
}
