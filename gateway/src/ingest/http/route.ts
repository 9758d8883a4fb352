import {
  applyDecorators,
  Delete,
  Get,
  HttpCode,
  Patch,
  Post,
  Put,
  UseGuards,
} from '@nestjs/common';
import { OPERATIONS } from '@streamgate/protocol/rest';
import type { Operation } from '@streamgate/protocol/rest-operation';
import { Permission, TokenGuard } from './token-guard.js';

const VERBS = { get: Get, post: Post, put: Put, patch: Patch, delete: Delete };

/** Binds a controller's method to an operation: its path, its verb, who may; answers 200. */
export function Route({ method, path, permission }: Operation): MethodDecorator {
  return applyDecorators(
    VERBS[method](path.replace(/\{(\w+)\}/g, ':$1')),
    HttpCode(200),
    Permission(permission),
    UseGuards(TokenGuard),
  );
}

/** All paths of the door, the description of itself too. */
const PATHS: readonly (Pick<Operation, 'method' | 'path'> & Partial<Operation>)[] = [
  ...Object.values(OPERATIONS),
  { method: 'get', path: '/openapi.json' },
];

/** Verbs that a path has, for `Allow`; empty for an unknown path. */
export function verbsOf(path: string): string[] {
  const methods = PATHS.filter((known) => patternOf(known.path).test(path));
  return methods.flatMap(({ method }) =>
    method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()],
  );
}

/** Whether it asks for commands to be executed. */
export function isCommand(method: string, path: string): boolean {
  return PATHS.some(
    (known) =>
      known.permission === 'emit' &&
      known.method === method.toLowerCase() &&
      patternOf(known.path).test(path),
  );
}

/** Matches as the router does: without case, with or without a slash at the end. */
function patternOf(path: string): RegExp {
  const escaped = path.replaceAll('.', String.raw`\.`).replace(/\{\w+\}/g, '[^/]+');
  return new RegExp(`^${escaped}/?$`, 'i');
}
