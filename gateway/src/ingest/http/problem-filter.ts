import {
  Catch,
  HttpException,
  NotFoundException,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import type { Request, Response } from 'express';
import { ERRORS, GatewayError, toGatewayError, type ErrorCode } from '@streamgate/protocol/errors';
import type { Problem } from '@streamgate/protocol/rest';
import { log } from '../../ops/log.js';
import { metrics } from '../../ops/metrics.js';
import { InvalidRequest } from './schema-pipe.js';
import { isCommand, verbsOf } from './route.js';

/** Answers everything that is thrown, by us, Nest, Express or its parser, as a problem document. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(thrown: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<Request>();
    const response = host.switchToHttp().getResponse<Response>();
    const verbs = thrown instanceof NotFoundException ? verbsOf(request.path) : [];
    const error = verbs.length > 0 ? new GatewayError('method_not_allowed') : errorOf(thrown);

    // Refused by its schema or the parser: the executor, which counts, has not seen it.
    const isUnseen = error instanceof InvalidRequest || error !== thrown;
    if (isUnseen && isCommand(request.method, request.path))
      metrics.commands.add('http', error.code);
    if (error.code === 'internal')
      log.error({ err: error.cause, method: request.method }, 'request failed');
    if (verbs.length > 0) response.set('Allow', verbs.join(', '));
    if (error.status === 401) response.set('WWW-Authenticate', challenge(error.code));
    if (error.retryable && error.code !== 'internal')
      response.set('Retry-After', String(Math.ceil((error.retryAfterMs ?? 1000) / 1000)));
    response.status(error.status).type('application/problem+json').send(problemOf(error));
  }
}

/** The problem document of an error (RFC 9457). */
export function problemOf(error: GatewayError): Problem {
  return {
    type: `urn:streamgate:problem:${error.code}`,
    title: ERRORS[error.code].message,
    status: error.status,
    detail: error.message,
    ...error.toBody(),
    ...(error instanceof InvalidRequest && { errors: error.errors }),
  };
}

/** RFC 6750: no error code for a request without a token. */
function challenge(code: ErrorCode): string {
  return code === 'unauthorized' ? 'Bearer' : 'Bearer error="invalid_token"';
}

const BY_STATUS: Record<number, ErrorCode> = {
  400: 'invalid_payload',
  404: 'not_found',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
};

/** What Nest, Express and its parser throw carries a status; their texts may repeat the request. */
function errorOf(thrown: unknown): GatewayError {
  const code = BY_STATUS[statusOf(thrown) ?? 0];
  if (code === undefined) return toGatewayError(thrown);
  const message = code === 'invalid_payload' ? 'Malformed JSON or URL' : undefined;
  return new GatewayError(code, message, { cause: thrown });
}

function statusOf(thrown: unknown): number | undefined {
  if (thrown instanceof GatewayError || !(thrown instanceof Error)) return undefined;
  if (thrown instanceof HttpException) return thrown.getStatus();
  return 'status' in thrown && typeof thrown.status === 'number' ? thrown.status : undefined;
}
