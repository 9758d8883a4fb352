/**
 * docs/contract-matrix.md: every row of the documents with the tests that prove it. The rows are the
 * names of the tests, as vitest collects them, so the page says what is really run.
 */
import { execFile } from 'node:child_process';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { CHAT_CLIENT_EVENTS } from '../protocol/dist/chat-client-events.js';
import { CHAT_SERVER_EVENTS } from '../protocol/dist/chat-server-events.js';
import { CLIENT_EVENTS } from '../protocol/dist/client-events.js';
import { SERVER_EVENTS } from '../protocol/dist/server-events.js';
import { openApiDocument } from '../gateway/dist/ingest/http/openapi.js';

interface Row {
  readonly document: string;
  readonly topology: string;
  readonly section: string;
  /** The part in backticks: an event, an endpoint. */
  readonly name: string;
  readonly says: string;
  /** Relative to the root. */
  readonly file: string;
}

const root = join(import.meta.dirname, '..');

/** @throws Error when an event or an endpoint of the documents has no row */
export async function renderMatrix(): Promise<string> {
  const rows = await collect();
  const missing = expected().filter(
    ({ name, document }) =>
      !rows.some((row) => row.name === name && (row.document === document || !document)),
  );
  if (missing.length > 0)
    throw new Error(`no contract test for ${missing.map(({ name }) => name).join(', ')}`);
  return [
    '# The documents, row by row',
    '',
    'Each row is a test of that name, on one node (`memory`) and on two processes with Redis; those of',
    'document 2 with an embedded database, and with PostgreSQL. This page is made by `make generate` from the names of',
    'the tests; it cannot be made while an event or an endpoint has none.',
    ...groups(rows, 'document').flatMap(([document, ofDocument]) => [
      '',
      `## ${document.replace('document', 'Document')}`,
      '',
      ...groups(ofDocument, 'file').map(([file]) => `- [${file}](../${file})`),
      ...groups(ofDocument, 'section').flatMap(([section, ofSection]) => [
        '',
        `### ${section}`,
        '',
        ...table(ofSection),
      ]),
    ]),
    '',
  ].join('\n');
}

async function collect(): Promise<Row[]> {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [vitest, 'list', '--json', '--no-static-parse', '--project', 'contract', 'document-'],
    { cwd: root, maxBuffer: 64 * 1024 * 1024 },
  );
  const tests = JSON.parse(stdout) as { name: string; file: string }[];
  const rows = tests.flatMap(({ name, file }) => {
    const found = /^(document \d) > on (\w+) > (.+?) > `([^`]+)` ?(.*)$/s.exec(name);
    if (!found) return [];
    const [, document, topology, section, row, says] = found as unknown as string[];
    return [{ document, topology, section, name: row, says, file: relative(root, file) } as Row];
  });
  // Files are collected side by side, in whatever order.
  return rows.toSorted(
    (a, b) => a.document.localeCompare(b.document) || a.file.localeCompare(b.file),
  );
}

/**
 * What the documents name: events of both directions and the endpoints of the REST door; what this
 * gateway adds to chat is among document 2's rows.
 */
function expected(): { name: string; document?: string }[] {
  const { paths = {} } = openApiDocument() as { paths?: Record<string, object> };
  const endpoints = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map(
      (method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`,
    ),
  );
  // No document has these: the contract adds them, and other tests prove them.
  const ours = ['refresh-token', 'token-refreshed', 'draining', 'inbox-delivered', 'reload-since'];
  const others = Object.keys({ ...CLIENT_EVENTS, ...SERVER_EVENTS });
  const chat = Object.keys({ ...CHAT_CLIENT_EVENTS, ...CHAT_SERVER_EVENTS });
  return [
    ...[...others, ...endpoints.filter((name) => !name.includes(' /v1/'))].map((name) => ({
      name,
    })),
    ...[...chat, ...endpoints.filter((name) => name.includes(' /v1/conversations'))].map(
      (name) => ({ name, document: 'document 2' }),
    ),
  ].filter(({ name }) => !ours.includes(name));
}

function table(rows: readonly Row[]): string[] {
  const topologies = [...new Set(rows.map(({ topology }) => topology))];
  const lines = groups(rows, 'name').flatMap(([name, ofName]) =>
    groups(ofName, 'says').map(([says, each]) => {
      const on = topologies.map((one) => (each.some((row) => row.topology === one) ? 'yes' : 'no'));
      return [`\`${name}\``, says, ...on];
    }),
  );
  const header = ['row', '', ...topologies];
  return [header, header.map(() => '---'), ...lines].map(
    (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`,
  );
}

/** Rows by the value of a field, in the order in which the values first appear. */
function groups(rows: readonly Row[], field: keyof Row): [string, Row[]][] {
  return Object.entries(Object.groupBy(rows, (row) => row[field])) as [string, Row[]][];
}
