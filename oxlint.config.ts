import { defineConfig, type OxlintOverride } from 'oxlint';

/**
 * What each folder of `gateway/src` may import: itself and what stands here. Imports point down
 * (docs/flow.md); folders of one layer do not know each other.
 */
const below: Record<string, string[]> = {
  edge: ['rooms', 'presence', 'inbox', 'backplane'],
  session: ['rooms', 'presence', 'inbox', 'backplane'],
  ingest: ['rooms', 'presence', 'inbox', 'backplane'],
  chat: ['rooms', 'presence', 'inbox', 'backplane'],
  ops: ['rooms', 'presence', 'inbox', 'backplane'],
  rooms: ['backplane'],
  presence: ['backplane'],
  inbox: ['backplane'],
  backplane: [],
};
const leaves = ['!**/ops/metrics.js', '!**/ops/log.js', '!**/ops/tracing.js'];

const roots = {
  group: ['**/main.js', '**/app.module.js'],
  message: 'Imports point down: nothing imports the composition root.',
};
const redisClient = {
  group: ['ioredis'],
  allowTypeImports: true,
  message: 'Only app.module.ts makes Redis clients; take one in the constructor.',
};
const configValue = {
  group: ['**/config.js'],
  importNames: ['readConfig'],
  message: 'Only main.ts reads the configuration; take it in the constructor.',
};

const database = {
  group: ['kysely', 'kysely/**', 'pg', '@electric-sql/**'],
  message: 'Only chat/store/ speaks SQL; ask the port ChatStore.',
};

function arrow(folder: string, files: string, more: object[]): OxlintOverride {
  const unknown = Object.keys(below)
    .filter((other) => other !== folder && !below[folder]?.includes(other))
    .map((other) => `../**/${other}/**`);
  const message = `Imports point down: ${folder}/ may not know this folder.`;
  const patterns = [{ group: [...unknown, ...leaves], message }, roots, redisClient, configValue];
  return {
    files: [`gateway/src/${files}/**`],
    rules: { 'no-restricted-imports': ['error', { patterns: [...patterns, ...more] }] },
  };
}

const arrows: OxlintOverride[] = [
  ...Object.keys(below).map((folder) => arrow(folder, folder, [database])),
  arrow('chat', 'chat/store', []),
];

export default defineConfig({
  plugins: ['typescript', 'import', 'node', 'unicorn', 'oxc'],
  categories: { correctness: 'error', suspicious: 'error' },
  options: { typeAware: true, reportUnusedDisableDirectives: 'error' },
  ignorePatterns: ['**/node_modules/**', '**/dist/**', 'coverage/**', '.cache/**'],
  rules: {
    'import/no-cycle': 'error',
    'node/no-process-env': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/switch-exhaustiveness-check': [
      'error',
      { considerDefaultExhaustiveForUnions: true },
    ],
    'no-empty': 'error',
    'no-console': 'error',
    'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
    // Fine here: sorting a copy, a class whose making registers it, a cast after a check, Nest's
    // empty modules, what socket.io keeps under an underscore or as a bare number.
    'unicorn/no-array-sort': 'off',
    'no-new': 'off',
    'typescript/no-unsafe-type-assertion': 'off',
    'typescript/no-extraneous-class': 'off',
    'no-underscore-dangle': 'off',
    'typescript/no-unsafe-enum-comparison': 'off',
    'import/no-unassigned-import': 'off',
    // Wrong about a variable that a callback changes, and a matter of taste.
    'no-unmodified-loop-condition': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'unicorn/no-useless-spread': 'off',
    'typescript/require-array-sort-compare': 'off',
    // TypeScript's noImplicitReturns knows an exhaustive switch.
    'typescript/consistent-return': 'off',
    // It erases the classes that Nest injects by type.
    'typescript/consistent-type-imports': 'off',
  },
  overrides: [
    ...arrows,
    {
      files: ['protocol/src/**'],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              { group: ['../**', 'node:*'], message: 'protocol/ also runs in a browser.' },
            ],
          },
        ],
      },
    },
    {
      files: Object.keys(below)
        .filter((folder) => folder !== 'edge')
        .map((folder) => `gateway/src/${folder}/**`),
      rules: {
        'no-restricted-properties': [
          'error',
          { object: 'socket', property: 'on', message: 'Only edge/ binds socket events.' },
          { object: 'socket', property: 'once', message: 'Only edge/ binds socket events.' },
        ],
      },
    },
    {
      files: ['adapter/src/**'],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              {
                group: ['@streamgate/*', '../**'],
                message: 'adapter/ is usable alone: it imports nothing of ours.',
              },
              redisClient,
            ],
          },
        ],
      },
    },
    {
      // Of a cluster each shard's connections are made anew wherever its keys are.
      files: ['adapter/src/redis-cluster.ts'],
      rules: { 'no-restricted-imports': 'off' },
    },
    {
      files: ['emitter/src/**'],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              {
                group: ['@streamgate/*', '!@streamgate/protocol', '../../**', '../**/gateway/**'],
                message: 'emitter/ is what a service installs: of ours it imports only protocol/.',
              },
            ],
          },
        ],
      },
    },
    {
      files: ['console/src/**'],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              {
                group: ['@streamgate/*', '!@streamgate/protocol', 'node:*', '**/gateway/**'],
                message: 'console/ runs in a browser: of ours it imports only protocol/.',
              },
              {
                group: ['zod', '@streamgate/protocol/*'],
                allowTypeImports: true,
                message: 'The page has the schemas as JSON, from events-plugin.ts.',
              },
            ],
          },
        ],
      },
    },
    {
      files: ['loadtest/lib/**'],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              {
                group: ['../**', 'node:*', '@streamgate/*'],
                message: 'loadtest/lib/ is usable alone: it imports only what k6 itself has.',
              },
            ],
          },
        ],
      },
    },
    {
      files: ['gateway/src/config.ts', 'emitter/src/cli/main.ts'],
      rules: { 'node/no-process-env': 'off' },
    },
    {
      // They start the built program: the environment and the terminal are their subject.
      files: [
        'tools/**',
        'charts/e2e/**',
        '*/test/**',
        '*/bench/**',
        'loadtest/{run,smoke}/**',
        '*.config.ts',
      ],
      rules: { 'node/no-process-env': 'off', 'no-console': 'off' },
    },
    {
      files: ['**/*.test.ts', '*/test/**', '*/bench/**'],
      rules: {
        'max-lines': 'off',
        'no-restricted-imports': 'off',
        'no-restricted-properties': 'off',
      },
    },
  ],
});
