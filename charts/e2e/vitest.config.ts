import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['cases/*.test.ts'],
    // They wait for the cluster most of the time.
    maxWorkers: 2,
    testTimeout: 600_000,
    hookTimeout: 420_000,
  },
});
