import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * `node tools/release.ts v1.2.3` ends with 1 and says why when not everything in the repository is of
 * that version; else it prints `version=` and `prerelease=` for a workflow. With `notes` it prints what
 * CHANGELOG.md says of the version.
 */
const root = resolve(fileURLToPath(new URL('..', import.meta.url)));

/** A version without the `v` of its tag; throws when the tag is none. */
export function versionOf(tag: string): string {
  const version = /^v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/.exec(tag)?.[1];
  if (version === undefined)
    throw new Error(`${tag} is no tag of a release: v1.2.3 or v1.2.3-rc.1`);
  return version;
}

/** What stands under `## <version>` in a changelog, without the heading; undefined: no such version. */
export function notesOf(changelog: string, version: string): string | undefined {
  const section = changelog
    .split(/^## /m)
    .find((part) => part.startsWith(`${version} `) || part.startsWith(`${version}\n`));
  return section?.slice(section.indexOf('\n')).trim();
}

/** What in the folder is not of that version, one line each; `file` reads a file of it. */
export function faults(version: string, file: (path: string) => string): string[] {
  const found: string[] = [];
  const expect = (where: string, is: unknown): void => {
    if (is !== version) found.push(`${where} is ${String(is)}, not ${version}`);
  };
  const manifest = JSON.parse(file('package.json')) as { version: string; workspaces: string[] };
  expect('package.json: version', manifest.version);
  for (const workspace of manifest.workspaces) {
    const path = `${workspace}/package.json`;
    const { version: own, dependencies = {} } = JSON.parse(file(path)) as {
      version: string;
      dependencies?: Record<string, string>;
    };
    expect(`${path}: version`, own);
    for (const [name, wanted] of Object.entries(dependencies)) {
      if (name.startsWith('@streamgate/')) expect(`${path}: ${name}`, wanted);
    }
  }
  const chart = file('charts/streamgate/Chart.yaml');
  const field = (pattern: RegExp): string | undefined => pattern.exec(chart)?.[1];
  expect('charts/streamgate/Chart.yaml: version', field(/^version: *'?([^'\s]+)/m));
  expect('charts/streamgate/Chart.yaml: appVersion', field(/^appVersion: *'?([^'\s]+)/m));
  expect('charts/streamgate/Chart.yaml: artifacthub.io/images', field(/image: \S+:([^:\s]+)$/m));
  if (!notesOf(file('CHANGELOG.md'), version))
    found.push(`CHANGELOG.md has nothing under ## ${version}`);
  return found;
}

function main([tag = '', what = 'check']: string[]): void {
  const file = (path: string): string => readFileSync(resolve(root, path), 'utf8');
  const version = versionOf(tag);
  if (what === 'notes') {
    console.log(notesOf(file('CHANGELOG.md'), version));
    return;
  }
  const found = faults(version, file);
  if (found.length > 0) throw new Error(found.join('\n'));
  console.log(`version=${version}\nprerelease=${String(version.includes('-'))}`);
}

if (import.meta.main) {
  try {
    main(process.argv.slice(2));
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
