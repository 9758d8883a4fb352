import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { faults, notesOf, versionOf } from './release.ts';

const workspaces = (JSON.parse(readFileSync('package.json', 'utf8')) as { workspaces: string[] })
  .workspaces;
const present = (JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version;

/** The repository as it is, its changelog with a section for the present version. */
function released(path: string): string {
  const text = readFileSync(path, 'utf8');
  return path === 'CHANGELOG.md' ? `${text}\n## ${present} - 2026-12-01\n\n- First.\n` : text;
}

test('everything in the repository is of one version, so that it can be released', () => {
  expect(faults(present, released)).toEqual([]);
});

test('each thing that is of another version is named', () => {
  const found = faults('9.9.9', released);
  for (const path of ['package.json', ...workspaces.map((name) => `${name}/package.json`)]) {
    expect(found).toContainEqual(expect.stringMatching(`^${path}: version is .*, not 9.9.9$`));
  }
  expect(found).toContain(`charts/streamgate/Chart.yaml: version is ${present}, not 9.9.9`);
  expect(found).toContain(`charts/streamgate/Chart.yaml: appVersion is ${present}, not 9.9.9`);
  expect(found).toContain(
    `charts/streamgate/Chart.yaml: artifacthub.io/images is ${present}, not 9.9.9`,
  );
  expect(found).toContain('CHANGELOG.md has nothing under ## 9.9.9');
});

test('a tag is v and a version', () => {
  expect(versionOf('v1.2.3')).toBe('1.2.3');
  expect(versionOf('v1.2.3-rc.1')).toBe('1.2.3-rc.1');
  for (const tag of ['1.2.3', 'v1.2', 'v1.2.3+4', 'main', ''])
    expect(() => versionOf(tag)).toThrow('is no tag of a release');
});

test('notes are what the changelog says of the version', () => {
  const changelog =
    '# Changelog\n\n## Unreleased\n\n- New.\n\n## 1.1.0 - 2026-12-01\n\n- Old.\n\n## 1.1.0-rc.1\n\n- Older.\n';
  expect(notesOf(changelog, '1.1.0')).toBe('- Old.');
  expect(notesOf(changelog, '1.1.0-rc.1')).toBe('- Older.');
  expect(notesOf(changelog, '1.0.0')).toBeUndefined();
});

test('a wrong tag ends a workflow with what is wrong, and packages hold what they export', () => {
  const wrong = spawnSync(process.execPath, ['tools/release.ts', 'v9.9.9'], { encoding: 'utf8' });
  expect(wrong.status).toBe(1);
  expect(wrong.stderr).toContain('package.json: version is');

  const args = ['pack', '--dry-run', '--json'].concat(
    ['protocol', 'adapter', 'emitter'].flatMap((name) => ['--workspace', name]),
  );
  const output = execFileSync('npm', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  // An array up to npm 11, an object after it.
  const packed = JSON.parse(output) as Record<string, { name: string; files: { path: string }[] }>;
  for (const { name, files } of Object.values(packed)) {
    const paths = files.map(({ path }) => path);
    expect(paths, name).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json']));
    expect(paths.filter((path) => path.endsWith('.js')).length, name).toBeGreaterThan(2);
    expect(
      paths.filter((path) => /test|\.map$|tsbuildinfo/.test(path)),
      name,
    ).toEqual([]);
  }
});
