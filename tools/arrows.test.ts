import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** The arrows of the design, proved: each line is a file of its own that lint must refuse or let pass. */
const root = join(import.meta.dirname, '..');

const IMPORTS = 'eslint(no-restricted-imports)';
const refused: [file: string, code: string, rule: string][] = [
  ['edge/a.ts', `import '../session/messages.js';`, IMPORTS],
  ['session/b.ts', `import '../edge/bind.js';`, IMPORTS],
  ['session/c.ts', `import '../ops/health.js';`, IMPORTS],
  ['ingest/http/d.ts', `import '../../session/messages.js';`, IMPORTS],
  ['ops/e.ts', `import '../ingest/execute.js';`, IMPORTS],
  ['rooms/f.ts', `import '../edge/bind.js';`, IMPORTS],
  ['presence/g.ts', `import '../rooms/access.js';`, IMPORTS],
  ['backplane/memory/h.ts', `import '../../rooms/access.js';`, IMPORTS],
  ['rooms/i.ts', `import '../app.module.js';`, IMPORTS],
  ['rooms/j.ts', `import { readConfig } from '../config.js'; readConfig();`, IMPORTS],
  ['backplane/k.ts', `import { Redis } from 'ioredis'; export const r = new Redis();`, IMPORTS],
  ['chat/y.ts', `import { sql } from 'kysely'; export const s = sql;`, IMPORTS],
  ['chat/store/z.ts', `import '../../session/messages.js';`, IMPORTS],
  ['ingest/http/aa.ts', `import 'pg';`, IMPORTS],
  ['../../protocol/src/l.ts', `import 'node:fs';`, IMPORTS],
  ['../../emitter/src/v.ts', `import '@streamgate/adapter';`, IMPORTS],
  ['../../console/src/w.ts', `import '@streamgate/emitter';`, IMPORTS],
  ['../../console/src/x.ts', `import '@streamgate/protocol/client-events';`, IMPORTS],
  ['session/m.ts', `export const home = process.env.HOME;`, 'node(no-process-env)'],
  [
    'session/n.ts',
    `export const bind = (socket: { on(name: string): void }) => socket.on('ping');`,
    'eslint(no-restricted-properties)',
  ],
  ['rooms/o.ts', `import { p } from './p.js'; export const o = () => p;`, 'import(no-cycle)'],
  ['rooms/p.ts', `import { o } from './o.js'; export const p = () => o;`, 'import(no-cycle)'],
];
const allowed: [file: string, code: string][] = [
  ['edge/q.ts', `import { a } from '../rooms/access.js'; export const q = a;`],
  ['backplane/r.ts', `import { m } from '../ops/metrics.js'; export const r = m;`],
  ['rooms/s.ts', `import type { Config } from '../config.js'; export type C = Config;`],
  ['backplane/t.ts', `import type { Redis } from 'ioredis'; export type R = Redis;`],
  ['app.module.ts', `import { Redis } from 'ioredis'; export const r = new Redis();`],
  ['config.ts', `export const home = process.env.HOME; export type Config = string;`],
  ['../../emitter/src/w.ts', `import '@streamgate/protocol/rooms';`],
  [
    '../../console/src/y.ts',
    `import type { User } from '@streamgate/protocol/principal'; export type U = User;`,
  ],
  ['chat/store/ab.ts', `import { sql } from 'kysely'; export const s = sql;`],
  ['edge/u.ts', `export const bind = (socket: { on(n: string): void }) => socket.on('ping');`],
];

const broken = new Map<string, string[]>();
const place = (file: string) => join('gateway/src', file);
let copy: string;

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'streamgate-arrows-'));
  copyFileSync(join(root, 'oxlint.config.ts'), join(copy, 'oxlint.config.ts'));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  for (const [file, code] of [...refused, ...allowed]) {
    mkdirSync(dirname(join(copy, place(file))), { recursive: true });
    writeFileSync(join(copy, place(file)), `${code}\n`);
  }
  const oxlint = join(root, 'node_modules/oxlint/bin/oxlint');
  const { stdout } = spawnSync(
    process.execPath,
    [oxlint, '--format=json', 'gateway', 'protocol', 'emitter', 'console'],
    {
      cwd: copy,
      encoding: 'utf8',
    },
  );
  for (const { filename, code } of JSON.parse(stdout).diagnostics) {
    broken.set(filename, [...(broken.get(filename) ?? []), code]);
  }
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

test.each(refused)('refuses %s: %s', (file, _code, rule) => {
  expect(broken.get(place(file))).toContain(rule);
});

test.each(allowed)('lets pass %s: %s', (file) => {
  expect(broken.get(place(file))).toBeUndefined();
});
