import type { BackplaneHealth } from '../backplane/backplane.js';
import type { Config } from '../config.js';
import type { DrainControl } from './drain-control.js';

/** What the management port must be told; injected under `NEEDS`. */
export interface ManagementNeeds {
  readonly config: Pick<Config, 'host' | 'managementPort' | 'readyWithoutRedis' | 'adminToken'>;
  readonly health: () => BackplaneHealth;
  readonly drain: DrainControl;
}

export const NEEDS = Symbol('ManagementNeeds');
