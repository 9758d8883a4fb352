import type { AddressInfo } from 'node:net';
import { StandardSchemaValidationPipe } from '@nestjs/common';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { TerminusModule } from '@nestjs/terminus';
import { GatewayError } from '@streamgate/protocol/errors';
import type { Request, Response } from 'express';
import { AdminController } from './admin.controller.js';
import { AdminGuard } from './admin-guard.js';
import { HealthController } from './health.controller.js';
import { metrics } from './metrics.js';
import { MetricsController } from './metrics.controller.js';
import { NEEDS, type ManagementNeeds } from './needs.js';
import { ProblemFilter } from './problem-filter.js';
import { closeServer } from './shutdown.js';

export interface Management {
  /** Of this machine, also when it listens on all addresses. */
  readonly url: string;
  /** Close it last: it must answer while the public port drains. */
  close(): Promise<void>;
}

class ManagementModule {}

const BODY_MAX_BYTES = 4096;

/**
 * Opens the management port: a Nest application of its own, so that it answers before the public
 * one accepts and after it has closed.
 * @throws Error of Node when the port cannot be bound
 */
export async function startManagement(needs: ManagementNeeds): Promise<Management> {
  const { config } = needs;
  observe(needs);
  const app = await NestFactory.create<NestExpressApplication>(
    {
      module: ManagementModule,
      // A failed check is the readiness answer itself, not an error to log at every probe.
      imports: [TerminusModule.forRoot({ logger: false })],
      controllers: [HealthController, MetricsController, AdminController],
      providers: [{ provide: NEEDS, useValue: needs }, AdminGuard],
    },
    { logger: false, abortOnError: false, bodyParser: false },
  );
  app.disable('x-powered-by').disable('etag');
  // Whatever `curl -d` calls it: a body that is not read would mean the defaults.
  app.useBodyParser('json', { type: () => true, limit: BODY_MAX_BYTES });
  app.use((_request: Request, response: Response, next: () => void) => {
    response.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' });
    next();
  });
  app.useGlobalFilters(new ProblemFilter());
  app.useGlobalPipes(
    new StandardSchemaValidationPipe({
      exceptionFactory: (issues) =>
        new GatewayError('invalid_payload', issues.map(describe).join('; ')),
    }),
  );
  await app.listen(config.managementPort, config.host);
  const server = app.getHttpServer();
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${reachable(config.host)}:${port}`,
    close: () => closeServer(server, () => app.close()),
  };
}

function observe({ health, database, drain }: ManagementNeeds): void {
  if (database) metrics.databaseUp.read(() => Number(database().up));
  metrics.backplaneUp.read(() => Number(health().up));
  metrics.backplaneWarnings.read(() => health().warnings.length);
  metrics.draining.read(() => Number(drain.status().state !== 'serving'));
  metrics.drainRemaining.read(() => {
    const { state, remaining } = drain.status();
    return state === 'serving' ? 0 : remaining;
  });
}

/** Where and what; our schemas' messages do not repeat what was sent. */
function describe({ path = [], message }: StandardSchemaV1.Issue): string {
  const where = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
  return where ? `${where}: ${message}` : message;
}

function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
