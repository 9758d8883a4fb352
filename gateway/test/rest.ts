import type { TestNode } from './node.js';
import { tokenOf, type Person } from './tokens.js';

/** The service that emits in the tests. */
export const SERVICE: Person = { id: 'quiz-service', username: 'Quiz Service', roles: ['service'] };

export interface RestAnswer {
  readonly status: number;
  readonly headers: Headers;
  // Bodies differ by endpoint: each test knows which it asked.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

/**
 * One request to the REST door.
 * @param request `GET /path` or `POST /path`
 * @param as who asks; `null`: without a token
 * @param further headers
 */
export async function rest(
  node: Pick<TestNode, 'url'>,
  request: string,
  body?: unknown,
  as: Person | null = SERVICE,
  further: Readonly<Record<string, string>> = {},
): Promise<RestAnswer> {
  const [method, path] = request.split(' ') as [string, string];
  const headers: Record<string, string> = { ...further };
  if (as) headers['authorization'] = `Bearer ${await tokenOf(as)}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  const answer = await fetch(node.url + path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    body: text.startsWith('{') ? JSON.parse(text) : text,
  };
}
