/** Emptying this node, as the management port and the signals see it. `edge/` implements it. */

export interface DrainStatus {
  /** `drained`: draining, and no session is left. */
  readonly state: 'serving' | 'draining' | 'drained';
  /** Sessions that are still on this node. */
  readonly remaining: number;
  /** Sessions a second that are being moved off; 0 while serving. */
  readonly rate: number;
  /** Seconds until the last session is moved off; 0 while serving. */
  readonly etaSeconds: number;
}

export interface ShedStatus {
  /** Sessions that this request moves off. */
  readonly sessions: number;
  /** Sessions a second. */
  readonly rate: number;
  /** Seconds until the last of them is moved off. */
  readonly etaSeconds: number;
}

export interface DrainControl {
  /**
   * Admits nobody from now on and spreads the closing of the sessions evenly.
   * @param options `seconds`: over how long, instead of `STREAMGATE_DRAIN_SECONDS`
   */
  start(options?: { seconds?: number }): DrainStatus;
  /** Back to serving; sessions that were moved off already stay where they are. */
  abort(): DrainStatus;
  status(): DrainStatus;
  /** Moves a share of the sessions off, evenly over `seconds`, while new ones are admitted. */
  shed(options: { sessions?: number; percent?: number; seconds: number }): ShedStatus;
}
