import type { IncomingMessage } from 'node:http';
import { type Type, UnsupportedMediaTypeException } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import helmet from 'helmet';
import type { Config } from '../../config.js';
import { SpanKind, tracing } from '../../ops/tracing.js';
import { serveDocsPage } from './docs-page.js';
import { ConversationsController } from './conversations.controller.js';
import { CommandsController } from './commands.controller.js';
import { ConsoleController } from './console.controller.js';
import { serveConsole } from './console-page.js';
import { LookupController } from './lookup.controller.js';
import { OpenApiController } from './openapi.controller.js';
import { PrivateMessagingController } from './private-messaging.controller.js';
import { ProblemFilter } from './problem-filter.js';
import { SchemaPipe } from './schema-pipe.js';
import { UserManagementController } from './user-management.controller.js';

/** The REST door for the root module, which provides what `needs.ts` names. */
export function httpControllers(config: Pick<Config, 'console'>): Type[] {
  return [
    UserManagementController,
    PrivateMessagingController,
    CommandsController,
    LookupController,
    ConversationsController,
    OpenApiController,
    ...(config.console === 'on' ? [ConsoleController] : []),
  ];
}

type HttpConfig = Pick<
  Config,
  'commandMaxBytes' | 'console' | 'corsOrigins' | 'maxPayloadBytes' | 'mode'
>;

/**
 * Sets up the application that the REST door runs in, before it listens. Make it with
 * `bodyParser: false`: the parser with our limit is added here.
 */
export function configureHttp(app: NestExpressApplication, config: HttpConfig): void {
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
      },
    }),
    neverStored,
  );
  app.enableCors({
    origin: config.corsOrigins.includes('*') || [...config.corsOrigins],
    credentials: true,
    exposedHeaders: ['Retry-After', 'WWW-Authenticate'],
    maxAge: 600,
  });
  if (config.mode === 'development') serveDocsPage(app);
  if (config.console === 'on') serveConsole(app);
  if (tracing.on) app.use(traced);
  app.use(jsonOnly);
  // The first that takes a body has read it for the second.
  app.useBodyParser('json', { limit: config.commandMaxBytes, type: isCommand });
  app.useBodyParser('json', { limit: config.maxPayloadBytes });
  app.useGlobalPipes(new SchemaPipe());
  app.useGlobalFilters(new ProblemFilter());
}

/** Commands have a limit of their own, the same through all doors; a batch has it as a whole. */
function isCommand({ url = '' }: IncomingMessage): boolean {
  return /^\/v1\/commands([/?]|$)/i.test(url);
}

/** Each request is a span, which the commands in it continue; the path is that of its route. */
function traced(request: Request, response: Response, next: NextFunction): void {
  const { method, headers } = request;
  const { traceparent, tracestate } = headers as Record<string, string | undefined>;
  const parent = { traceparent, tracestate };
  if (!tracing.wants(parent)) return tracing.without(next);
  const span = tracing.begin(method, SpanKind.SERVER, parent, { 'http.request.method': method });
  response.once('close', () => {
    const { path } = (request.route ?? {}) as { path?: string };
    const { statusCode } = response;
    if (path !== undefined) span.updateName(`${method} ${path}`).setAttribute('http.route', path);
    span.setAttribute('http.response.status_code', statusCode);
    if (statusCode < 500) span.end();
    else tracing.fail(span, String(statusCode));
  });
  tracing.within(span, next);
}

/** Answers tell who is connected now. */
function neverStored(_request: Request, response: Response, next: NextFunction): void {
  response.set('Cache-Control', 'no-store');
  next();
}

/** The parser would skip any other body, and the schema would call it missing. */
function jsonOnly(request: Request, _response: Response, next: NextFunction): void {
  const otherBody =
    request.is('application/json') === false && request.headers['content-length'] !== '0';
  next(otherBody ? new UnsupportedMediaTypeException() : undefined);
}
