import { Controller, Get, Inject } from '@nestjs/common';
import { HealthCheckService, HealthIndicatorService } from '@nestjs/terminus';
import type { DatabaseHealth, ManagementNeeds } from './needs.js';
import { NEEDS } from './needs.js';

/** The questions of Kubernetes: has it started? restart it? send it clients? */
@Controller('health')
export class HealthController {
  private reached = false;

  constructor(
    @Inject(NEEDS) private readonly needs: ManagementNeeds,
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(HealthIndicatorService) private readonly indicator: HealthIndicatorService,
  ) {}

  /**
   * The backplane was there once. A node that was given a wrong address for it never is ready, so
   * that a rollout stops; one that loses it later goes on.
   */
  @Get('started')
  started() {
    this.reached ||= this.needs.health().up;
    return this.health.check([
      () => {
        const backplane = this.indicator.check('backplane');
        return this.reached ? backplane.up() : backplane.down(this.away());
      },
    ]);
  }

  /** The process answers. Never depends on Redis: a restart would not bring Redis back. */
  @Get('live')
  live() {
    return this.health.check([]);
  }

  @Get('ready')
  ready() {
    const { database } = this.needs;
    const checks = [() => this.node(), () => this.backplane()];
    return this.health.check(database ? [...checks, () => this.database(database())] : checks);
  }

  private node() {
    const { state, remaining } = this.needs.drain.status();
    const node = this.indicator.check('node');
    return state === 'serving' ? node.up() : node.down({ state, remaining });
  }

  /** Never makes a node unready: all but chat works, and elsewhere it is away too. */
  private database({ up, reason, since }: DatabaseHealth) {
    const database = this.indicator.check('database');
    return up ? database.up() : database.degraded({ reason, since: since.toISOString() });
  }

  private backplane() {
    const { up, warnings } = this.needs.health();
    const backplane = this.indicator.check('backplane');
    if (up) return backplane.up(warnings.length > 0 ? { warnings } : {});
    const away = this.away();
    return this.needs.config.readyWithoutRedis ? backplane.degraded(away) : backplane.down(away);
  }

  private away() {
    const { reason, since } = this.needs.health();
    return { reason, since: new Date(since).toISOString() };
  }
}
