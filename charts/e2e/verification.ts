import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keptEvidence } from './kit/evidence.ts';
import { root } from './kit/programs.ts';
import { setting } from './kit/settings.ts';

/** What was shown, as a page. @param isWhole all cases have run and the page is wanted, else it is printed */
export function writeVerification(minutes: string, isWhole: boolean): void {
  const cases = keptEvidence().map(
    ({ number, title, lines }) =>
      `## ${number}. ${title}\n\n${lines.map((line) => `- ${line}`).join('\n')}\n`,
  );
  const page = `# Verification on a real cluster

<!-- Written by \`make e2e\` when all cases have passed. -->

${version()}; commit ${commit()}; ${minutes} min in all. A case of the same number is in
\`charts/e2e/cases\`. All releases had \`redis.timeoutMs\` ${setting('E2E_REDIS_TIMEOUT_MS')} (the chart's default is 500), short drains and
small pods, as \`charts/e2e/kit/gateway.ts\` says.

${cases.join('\n')}`;
  if (isWhole) writeFileSync(join(root, 'docs/platform/verification.md'), page);
  else process.stdout.write(`\n${page}\n`);
}

function version(): string {
  const text = printed('kubectl', ['version', '-o', 'json']);
  const { serverVersion } = JSON.parse(text) as { serverVersion: { gitVersion: string } };
  return `Kubernetes ${serverVersion.gitVersion}`;
}

function commit(): string {
  return printed('git', ['rev-parse', '--short', 'HEAD']).trim();
}

function printed(program: string, args: string[]): string {
  return spawnSync(program, args, { cwd: root, encoding: 'utf8' }).stdout;
}
