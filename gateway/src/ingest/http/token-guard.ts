import {
  createParamDecorator,
  Inject,
  Injectable,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { GatewayError } from '@streamgate/protocol/errors';
import { hasRole, type Principal } from '@streamgate/protocol/principal';
import type { Operation } from '@streamgate/protocol/rest-operation';
import type { Config } from '../../config.js';
import { CONFIG, VERIFY_TOKEN, type VerifyToken } from './needs.js';

/** Set on each handler: which configured roles may call it. */
export const Permission = Reflector.createDecorator<Operation['permission']>();

interface Authenticated extends Request {
  principal?: Principal;
}

/** Who calls: the `Authorization: Bearer` token, verified, with a role that may. */
@Injectable()
export class TokenGuard implements CanActivate {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(VERIFY_TOKEN) private readonly verify: VerifyToken,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Authenticated>();
    const token = bearerToken(request.headers.authorization);
    if (token === undefined) throw new GatewayError('unauthorized');
    const principal = await this.verify(token);
    const permission = this.reflector.get(Permission, context.getHandler());
    if (!hasRole(principal, this.rolesFor(permission))) throw new GatewayError('forbidden');
    request.principal = principal;
    return true;
  }

  private rolesFor(permission: Operation['permission']): readonly string[] {
    if (permission === 'anyone') return ['*'];
    return permission === 'emit' ? this.config.emitRoles : this.config.presenceRoles;
  }
}

/** The principal of the verified token. */
export const Caller = createParamDecorator((_data: unknown, context: ExecutionContext) => {
  return context.switchToHttp().getRequest<Authenticated>().principal;
});

/** RFC 6750: the scheme compares without case. */
function bearerToken(header: string | undefined): string | undefined {
  return /^Bearer +([^\s]+) *$/i.exec(header ?? '')?.[1];
}
