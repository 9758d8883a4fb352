/** A suite of tests: one project of vitest, one line in the report of `make test`. */
export interface Suite {
  name: string;
  include: string[];
  /** Starts whole nodes and may use all of the machine: its files run one after the other. */
  serial?: boolean;
  /** Programs without which the suite is reported as not run; under `CI=1` that is a failure. */
  needs?: string[];
}

export const suites: Suite[] = [
  {
    name: 'unit',
    include: ['protocol/src/**/*.test.ts', 'gateway/src/**/*.test.ts', 'gateway/test/*.test.ts'],
    needs: ['redis-server', 'postgres'],
  },
  {
    name: 'adapter',
    include: ['adapter/src/**/*.test.ts', 'adapter/test/**/*.test.ts'],
    needs: ['redis-server'],
  },
  {
    name: 'emitter',
    include: ['emitter/src/**/*.test.ts', 'emitter/test/**/*.test.ts'],
    serial: true,
    needs: ['redis-server', 'redis-cli', 'python3', 'pip3'],
  },
  {
    name: 'console',
    include: ['console/src/**/*.test.ts', 'console/test/**/*.test.ts'],
    serial: true,
    needs: ['redis-server', 'chromium'],
  },
  { name: 'tools', include: ['tools/*.test.ts'], needs: ['curl'] },
  {
    name: 'dashboards',
    include: ['dashboards/test/**/*.test.ts', 'tools/observe/*.test.ts'],
    needs: ['promtool', 'prometheus', 'redis-server', 'postgres'],
  },
  {
    name: 'loadtest',
    include: ['loadtest/test/**/*.test.ts'],
    needs: ['k6', 'redis-server', 'kubeconform', 'pod-security'],
  },
  {
    name: 'chart',
    include: ['charts/test/**/*.test.ts'],
    needs: ['helm', 'helm3', 'helm-unittest', 'kubeconform', 'pod-security'],
  },
  {
    name: 'contract',
    include: ['gateway/test/contract/**/*.test.ts'],
    needs: ['redis-server', 'redis-sentinel', 'openssl', 'postgres'],
  },
  {
    name: 'nodes',
    include: ['gateway/test/nodes/**/*.test.ts'],
    serial: true,
    needs: ['redis-server', 'redis-sentinel', 'postgres'],
  },
  {
    name: 'kafka',
    include: ['gateway/test/kafka/**/*.test.ts'],
    serial: true,
    needs: ['redis-server', 'kafka', 'openssl'],
  },
  {
    name: 'collector',
    include: ['gateway/test/collector/**/*.test.ts'],
    serial: true,
    needs: ['redis-server', 'otelcol'],
  },
  {
    name: 'abuse',
    include: ['gateway/test/abuse/**/*.test.ts'],
    serial: true,
    needs: ['redis-server'],
  },
  {
    name: 'load',
    include: ['loadtest/run/**/*.test.ts', 'loadtest/smoke/**/*.test.ts'],
    serial: true,
    needs: ['k6', 'redis-server', 'postgres'],
  },
];
