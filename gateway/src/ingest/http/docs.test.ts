import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDoor, type Door } from '../../../test/rest-door.js';
import { tokenOf } from '../../../test/tokens.js';

/** Every command of docs/rest.md answers what stands below it. */

const page = readFileSync(new URL('../../../../docs/rest.md', import.meta.url), 'utf8');
const pairs = [...page.matchAll(/```sh\n(.*?)```\n\n```json\n(.*?)```/gs)].map(
  ([, command = '', answer = '']) => ({ command, answer: JSON.parse(answer) as unknown }),
);

let door: Door;
let variables: Record<string, string>;
beforeAll(async () => {
  door = await openDoor();
  await door.connect({ id: 'alice' });
  await door.connect({ id: 'bob', roles: ['teacher'] });
  variables = { URL: door.url, SERVICE: await tokenOf({ id: 'quiz', roles: ['service'] }) };
});
afterAll(() => door.close());

test('every command has its answer', () => {
  expect(pairs).toHaveLength(page.match(/^curl /gm)?.length ?? 0);
});

test.each(pairs)('$command', async ({ command, answer }) => {
  const response = await fetch(...requestOf(command));
  const body = (await response.text()).replaceAll(
    /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g,
    '2026-11-21T09:00:00.000Z',
  );
  expect(JSON.parse(body)).toEqual(answer);
});

/** Reads the part of a shell and of curl that the page uses. */
function requestOf(command: string): [string, RequestInit] {
  const words = [...command.replaceAll('\\\n', '').matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, literal, quoted, bare]) => literal ?? expand(quoted ?? bare ?? ''),
  );
  const [program, url = '', ...options] = words;
  expect(program).toBe('curl');
  const headers = new Headers();
  let body: string | undefined;
  for (let index = 0; index < options.length; index += 2) {
    const [option, value = ''] = options.slice(index, index + 2);
    if (option === '-H') headers.set(...(value.split(': ') as [string, string]));
    else if (option === '-d') body = value;
    else throw new Error(`curl ${option}: not known here`);
  }
  return [url, { method: body === undefined ? 'GET' : 'POST', headers, body: body ?? null }];
}

function expand(text: string): string {
  return text.replaceAll(/\$(\w+)/g, (_, name: string) => variables[name] ?? '');
}
