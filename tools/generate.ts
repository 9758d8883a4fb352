/**
 * `make generate` writes the generated files anew; with `--check` it only says which of them are
 * not what the sources give, and fails; with the beginning of a path it makes only those, as
 * `make reference` does. A new one is a line in `targets`.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { renderConfigTable } from '../gateway/dist/config-docs.js';
import { openApiDocument } from '../gateway/dist/ingest/http/openapi.js';
import { FILES } from '../dashboards/src/files.ts';
import { CHART_FILES } from './chart.ts';
import { renderMatrix } from './matrix.ts';
import { renderMetrics } from './metrics.ts';
import { renderMillion } from './million.ts';
import { renderAsyncApi } from './reference/asyncapi.ts';
import { PAGES } from './reference/pages.ts';

const targets: Record<string, () => string | Promise<string>> = {
  ...FILES,
  ...CHART_FILES,
  'docs/configuration.md': renderConfigTable,
  'docs/contract-matrix.md': renderMatrix,
  'docs/metrics.md': renderMetrics,
  'docs/million-sessions.md': renderMillion,
  'docs/openapi.json': () => `${JSON.stringify(openApiDocument(), null, 2)}\n`,
  'docs/reference/asyncapi.json': renderAsyncApi,
  ...Object.fromEntries(
    Object.entries(PAGES).map(([file, render]) => [`docs/reference/${file}`, render]),
  ),
};

const check = process.argv.includes('--check');
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const root = join(import.meta.dirname, '..');

for (const [path, render] of Object.entries(targets)) {
  if (wanted.length > 0 && !wanted.some((start) => path.startsWith(start))) continue;
  const file = join(root, path);
  const text = await render();
  if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
  if (check) {
    console.error(`${path} is not what its source gives: run \`make generate\` and commit it`);
    process.exitCode = 1;
  } else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    console.log(`wrote ${path}`);
  }
}
