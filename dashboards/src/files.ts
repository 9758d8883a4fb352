import type { Board } from './board.ts';
import { dashboardOf } from './grafana.ts';
import { messages } from './messages.ts';
import { nodeBoard } from './node.ts';
import { overview } from './overview.ts';
import { redis } from './redis.ts';
import { ALERTS, renderRules, renderRunbook } from './rules.ts';

export const BOARDS: readonly Board[] = [overview, nodeBoard, messages, redis];

/** Everything that is made here, by its path from the root of the repository. */
export const FILES: Readonly<Record<string, () => string>> = {
  ...Object.fromEntries(
    BOARDS.map((board) => [
      `dashboards/grafana/${board.uid}.json`,
      () => `${JSON.stringify(dashboardOf(board), null, 2)}\n`,
    ]),
  ),
  'dashboards/prometheus/streamgate.rules.yaml': renderRules,
  ...Object.fromEntries(
    ALERTS.map((alert) => [`docs/runbooks/${alert.name}.md`, () => renderRunbook(alert)]),
  ),
};
