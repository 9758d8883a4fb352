import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
} from 'zod-openapi';
import { ERRORS, GatewayError, type ErrorCode } from '@streamgate/protocol/errors';
import { User } from '@streamgate/protocol/principal';
import { OPERATIONS, Problem } from '@streamgate/protocol/rest';
import { CALLERS, type Operation } from '@streamgate/protocol/rest-operation';
import { ActiveUser, ConnectionTime } from '@streamgate/protocol/server-events';
import { problemOf } from './problem-filter.js';

/** The REST door as OpenAPI 3.1, made from the schemas that validate it. */
export function openApiDocument(): ReturnType<typeof createDocument> {
  return createDocument(
    {
      openapi: '3.1.1',
      info: {
        title: 'Streamgate: the REST door',
        version: '1.0.0',
        description:
          'Emit to connected users and ask who is connected. Failures are problem documents (RFC 9457).',
        license: { name: 'Apache License 2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      security: [{ token: [] }],
      paths: pathsOf(OPERATIONS),
      components: {
        schemas: { ActiveUser, ConnectionTime, Problem, User },
        securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      },
    },
    {
      // A later version may add a field to an answer: clients made from this must not refuse it.
      override: ({ jsonSchema, io }) => {
        if (io === 'output' && jsonSchema.additionalProperties === false)
          delete jsonSchema.additionalProperties;
      },
    },
  );
}

/** A path has an operation for each of its verbs. */
function pathsOf(operations: Readonly<Record<string, Operation>>): ZodOpenApiPathsObject {
  const paths: ZodOpenApiPathsObject = {};
  for (const [name, operation] of Object.entries(operations))
    (paths[operation.path] ??= {})[operation.method] = described(name, operation);
  return paths;
}

function described(name: string, operation: Operation): ZodOpenApiOperationObject {
  const { path, summary, permission, params, query, headers, body, answer, creates } = operation;
  const done = { 'application/json': json(answer) };
  return {
    operationId: name,
    tags: [tagOf(path)],
    summary,
    description: CALLERS[permission],
    requestParams: {
      ...(params && { path: params }),
      ...(query && { query }),
      ...(headers && { header: headers }),
    },
    ...(body && {
      requestBody: { required: true, content: { 'application/json': json(body) } },
    }),
    responses: {
      ...(creates && { '201': { description: 'Made', content: done } }),
      '200': { description: creates ? 'It was there already' : 'Done', content: done },
      ...problems(operation),
    },
  };
}

function tagOf(path: string): string {
  if (path.startsWith('/v1')) return 'v1';
  return path.startsWith('/websocket') ? 'websocket' : 'gateway';
}

/** Examples stand here because JSON Schema loses those of schemas that transform. */
function json(schema: NonNullable<Operation['body']>) {
  const examples = schema.meta()?.examples ?? [];
  return {
    schema,
    examples: Object.fromEntries(
      examples.map((value, index) => [`example${index + 1}`, { value }]),
    ),
  };
}

function codesOf({ body, codes = [] }: Operation): ErrorCode[] {
  return [
    'unauthorized',
    'authentication_failed',
    'token_expired',
    'token_revoked',
    'forbidden',
    'invalid_payload',
    ...(body ? (['payload_too_large', 'unsupported_media_type'] as const) : []),
    ...codes,
    'backplane_unavailable',
    'jwks_unavailable',
    'internal',
  ];
}

const HEADERS: Record<
  number,
  Record<string, { description: string; schema: { type: 'string' | 'integer' } }>
> = {
  401: { 'WWW-Authenticate': { description: 'RFC 6750', schema: { type: 'string' } } },
  503: { 'Retry-After': { description: 'Seconds', schema: { type: 'integer' } } },
};

/** Responses by status, with an example for each code. */
function problems(operation: Operation): ZodOpenApiOperationObject['responses'] {
  const byStatus = Map.groupBy(codesOf(operation), (code) => ERRORS[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      String(status),
      {
        description: codes.map((code) => `\`${code}\``).join(', '),
        ...(HEADERS[status] && { headers: HEADERS[status] }),
        content: {
          'application/problem+json': {
            schema: Problem,
            examples: Object.fromEntries(
              codes.map((code) => [code, { value: problemOf(new GatewayError(code)) }]),
            ),
          },
        },
      },
    ]),
  );
}
