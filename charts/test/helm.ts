import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Outcome, chart, run } from './program.ts';

/** What `helm template` is asked for. */
export interface Wanted {
  /** Values files, in order. */
  files?: string[];
  /** Values, as of a file; they go before those of the files. */
  values?: object;
  program?: 'helm' | 'helm3';
  /** As `v1.34`. */
  minor?: string;
  /** API versions that the cluster has beside its own. */
  apis?: string[];
}

/** Values files of the chart that stand for what people do with it, by name; the trial is one. */
export const CASES: Record<string, string> = Object.fromEntries([
  ...readdirSync(join(chart, 'ci'))
    .filter((name) => name.endsWith('-values.yaml'))
    .map((name) => [name.replace('-values.yaml', ''), join(chart, 'ci', name)]),
  ['dev', join(chart, 'values-dev.yaml')],
]);

/** Runs `helm template streamgate charts/streamgate` in the namespace `gateways`. */
export function template({
  files = [],
  values,
  program,
  minor = 'v1.34',
  apis = [],
}: Wanted): Outcome {
  const args = ['template', 'streamgate', chart, '--namespace', 'gateways'];
  args.push('--kube-version', `${minor}.0`);
  for (const file of files) args.push('--values', file);
  if (values) args.push('--values', '-');
  for (const api of apis) args.push('--api-versions', api);
  return run(program ?? 'helm', args, JSON.stringify(values ?? {}));
}

/** @throws Error with what Helm says when it refuses */
export function render(wanted: Wanted): string {
  const { status, text, complaint } = template(wanted);
  if (status !== 0) throw new Error(complaint);
  return text;
}
