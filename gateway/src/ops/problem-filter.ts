import { STATUS_CODES } from 'node:http';
import { Catch, ServiceUnavailableException } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { GatewayError, toGatewayError, type ErrorCode } from '@streamgate/protocol/errors';
import type { Response } from 'express';
import { log } from './log.js';

/** Answers everything that is thrown on the management port with a problem document (RFC 9457). */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(thrown: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    if (thrown instanceof ServiceUnavailableException) {
      // Terminus' report on readiness, which says what is down.
      response.status(503).json(thrown.getResponse());
      return;
    }
    const error = asGatewayError(thrown);
    if (error.code === 'internal') log.error({ err: thrown }, 'management request failed');
    if (error.code === 'unauthorized') response.setHeader('WWW-Authenticate', 'Bearer');
    const { status, message } = error;
    response
      .status(status)
      .type('application/problem+json')
      .json({
        type: 'about:blank',
        title: STATUS_CODES[status],
        status,
        detail: message,
        ...error.toBody(),
      });
  }
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_payload',
  404: 'not_found',
  413: 'payload_too_large',
};

/** Nest's and Express' own exceptions carry a status; their messages may echo the request. */
function asGatewayError(thrown: unknown): GatewayError {
  const code = CODES[(thrown as { status?: number } | undefined)?.status ?? 0];
  return code && !(thrown instanceof GatewayError)
    ? new GatewayError(code)
    : toGatewayError(thrown);
}
