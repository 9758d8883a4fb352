import { log } from '../ops/log.js';

const LINES_A_SECOND = 20;

/** One line per refusal, but not thousands a second: what is left out is counted and said. */
export class RefusalLog {
  private lines = 0;
  private leftOut = 0;
  private timer: NodeJS.Timeout | undefined;

  refused(code: string, address: string): void {
    this.timer ??= setTimeout(() => this.nextSecond(), 1000).unref();
    if (++this.lines <= LINES_A_SECOND) log.info({ code, address }, 'connect refused');
    else this.leftOut++;
  }

  private nextSecond(): void {
    if (this.leftOut > 0) log.info({ leftOut: this.leftOut }, 'more connects refused');
    this.lines = 0;
    this.leftOut = 0;
    this.timer = undefined;
  }
}
