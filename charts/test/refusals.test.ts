import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { CASES, template } from './helm.ts';

interface Refusal {
  name: string;
  /** Nothing of the needed values is there. */
  alone?: boolean;
  values: object;
  says: string;
  /** A secret that the message must not repeat. */
  hides?: string;
}

const text = readFileSync(join(import.meta.dirname, 'refusals.yaml'), 'utf8');
const refusals = parse(text) as Refusal[];

test('there are at least 25 of them, of different names', () => {
  expect(new Set(refusals.map(({ name }) => name)).size).toBe(refusals.length);
  expect(refusals.length).toBeGreaterThanOrEqual(25);
});

describe.each(['helm', 'helm3'] as const)('%s refuses', (program) => {
  test.each(refusals)('$name', ({ alone, values, says, hides }) => {
    const files = alone ? [] : [CASES.default!];
    const { status, complaint } = template({ files, values, program });
    expect(status, 'it was accepted').not.toBe(0);
    expect(complaint).toContain(says);
    if (hides !== undefined) expect(complaint).not.toContain(hides);
  });
});
