import { createHash, timingSafeEqual } from 'node:crypto';
import { Inject, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { GatewayError } from '@streamgate/protocol/errors';
import type { Request } from 'express';
import { log, repeated } from './log.js';
import type { ManagementNeeds } from './needs.js';
import { NEEDS } from './needs.js';

/** `/admin/*` answers to loopback (a port-forward) or to the admin token. */
export class AdminGuard implements CanActivate {
  private readonly tokenDigest: Buffer | undefined;

  constructor(@Inject(NEEDS) { config }: ManagementNeeds) {
    this.tokenDigest = config.adminToken === undefined ? undefined : digest(config.adminToken);
  }

  /** @throws GatewayError `unauthorized`, or `forbidden` when there is no token that would help */
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    const { method, path } = request;
    const address = request.socket.remoteAddress;
    if (this.hasToken(request) || isLoopback(request)) {
      if (method !== 'GET') log.info({ method, path, address }, 'admin request');
      return true;
    }
    repeated('admin refused', 10_000, (more) =>
      log.warn({ method, path, address, more }, 'admin request refused'),
    );
    throw this.tokenDigest
      ? new GatewayError('unauthorized')
      : new GatewayError('forbidden', 'Only from loopback: no admin token is configured');
  }

  private hasToken({ headers }: Request): boolean {
    const presented = /^Bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1];
    if (!this.tokenDigest || presented === undefined) return false;
    return timingSafeEqual(this.tokenDigest, digest(presented));
  }
}

const LOOPBACK: ReadonlySet<string | undefined> = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1']);

/**
 * Says whether somebody on this machine asks, by the connection itself. The rest of 127/8 is left
 * out (a mesh's sidecar brings everyone's requests from 127.0.0.6), and so is what a proxy
 * forwarded and what a web page in the operator's browser sends.
 */
function isLoopback({ socket, headers }: Request): boolean {
  const forwarded = headers['x-forwarded-for'] ?? headers.forwarded ?? headers.origin;
  return forwarded === undefined && LOOPBACK.has(socket.remoteAddress);
}

/** Of one length, so that the comparison does not tell the token's. */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
