import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Nest injects by constructor type, which needs the legacy decorators and their metadata. */
const oxc = { decorator: { legacy: true, emitDecoratorMetadata: true } };

/** In-process tests read the sources, so that they never run against a stale build. */
const resolve = {
  alias: [{ find: /^@streamgate\/protocol\/(.*)$/, replacement: here('./protocol/src/$1.ts') }],
};

/**
 * One suite of tests. A slow suite starts the built program and may use all of the machine, so its
 * files run one after the other.
 */
const suite = (name: string, include: string[], slow = false) => ({
  oxc,
  resolve,
  test: {
    name,
    include,
    fileParallelism: !slow,
    testTimeout: slow ? 120_000 : 20_000,
    hookTimeout: slow ? 120_000 : 30_000,
  },
});

export default defineConfig({
  test: {
    maxWorkers: 2,
    coverage: { include: ['protocol/src/**', 'gateway/src/**'] },
    projects: [
      suite('unit', ['protocol/src/**/*.test.ts', 'gateway/src/**/*.test.ts']),
      suite('tools', ['tools/**/*.test.ts']),
      suite('contract', ['gateway/test/contract/**/*.test.ts']),
      suite('nodes', ['gateway/test/nodes/**/*.test.ts'], true),
      suite('abuse', ['gateway/test/abuse/**/*.test.ts'], true),
    ],
  },
});
