import type { BackplaneHealth } from '../backplane/backplane.js';
import type { Config } from '../config.js';
import type { DrainControl } from './drain-control.js';

/** Whether the database can be reached, since when, and why not: without anything secret. */
export interface DatabaseHealth {
  readonly up: boolean;
  readonly since: Date;
  readonly reason: string | undefined;
}

/** What the management port must be told; injected under `NEEDS`. */
export interface ManagementNeeds {
  readonly config: Pick<Config, 'host' | 'managementPort' | 'readyWithoutRedis' | 'adminToken'>;
  readonly health: () => BackplaneHealth;
  /** Of the database of chat; undefined while chat is off. */
  readonly database?: () => DatabaseHealth;
  readonly drain: DrainControl;
}

export const NEEDS = Symbol('ManagementNeeds');
