import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { suites } from './tools/suites.ts';

const sources = fileURLToPath(new URL('protocol/src', import.meta.url));
const adapter = fileURLToPath(new URL('adapter/src/create-adapter.ts', import.meta.url));
const emitter = fileURLToPath(new URL('emitter/src', import.meta.url));

export default defineConfig({
  test: {
    maxWorkers: 2,
    coverage: {
      include: ['protocol/src/**', 'adapter/src/**', 'emitter/src/**', 'gateway/src/**'],
    },
    projects: suites.map(({ name, include, serial = false }) => ({
      // Nest injects by constructor type, which needs the legacy decorators and their metadata.
      oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
      // In-process tests read the sources, so that they never run against a stale build.
      resolve: {
        alias: [
          { find: /^@streamgate\/protocol\/(.*)$/, replacement: `${sources}/$1.ts` },
          { find: '@streamgate/adapter', replacement: adapter },
          { find: /^@streamgate\/emitter$/, replacement: `${emitter}/emitter.ts` },
          { find: /^@streamgate\/emitter\/(.*)$/, replacement: `${emitter}/$1.ts` },
        ],
      },
      test: {
        name,
        include,
        fileParallelism: !serial,
        testTimeout: serial ? 120_000 : 20_000,
        hookTimeout: serial ? 120_000 : 30_000,
      },
    })),
  },
});
