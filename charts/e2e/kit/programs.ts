import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { tie } from '../../../gateway/test/tied.ts';
import { setting } from './settings.ts';

export const root = join(import.meta.dirname, '../../..');

/** Longest wait for a program to end, in ms. */
const PATIENCE_MS = 300_000;

/** What a program printed. @throws Error with what it complained of, when it fails */
export function run(program: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      { cwd: root, timeout: PATIENCE_MS, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error) reject(new Error(`${program} ${args.join(' ')}: ${stderr || error.message}`));
        else resolve(stdout);
      },
    );
    // Who ends before it has read everything says why itself.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

const helms = new Map<number, string>();

/** Helm of a major version: as set, or what tools/go-tool finds on PATH or builds. */
export function helm(major: 3 | 4, args: readonly string[], input?: string): Promise<string> {
  const name = major === 3 ? 'helm3' : 'helm';
  const program =
    setting(major === 3 ? 'E2E_HELM3' : 'E2E_HELM') || helms.get(major) || goTool(name);
  helms.set(major, program);
  return run(program, args, input);
}

function goTool(name: string): string {
  const { status, stdout, stderr } = spawnSync(join(root, 'tools/go-tool'), [name], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${name} is not there and cannot be built: ${stderr}`);
  return stdout.trim();
}

/** A way into the cluster that stays open until it is closed. */
export class Forward {
  /** `127.0.0.1:port` */
  readonly address: string;
  private readonly child: ChildProcess;

  private constructor(address: string, child: ChildProcess) {
    this.address = address;
    this.child = child;
  }

  /** @param target as `kubectl port-forward` takes it: `pod/name`, `service/name` */
  static async open(namespace: string, target: string, port: number): Promise<Forward> {
    const child = tie(spawn('kubectl', ['-n', namespace, 'port-forward', target, `:${port}`]));
    let output = '';
    return new Promise((resolve, reject) => {
      const look = (chunk: Buffer) => {
        output += chunk.toString();
        const address = /Forwarding from (127\.0\.0\.1:\d+)/.exec(output)?.[1];
        if (address !== undefined) resolve(new Forward(address, child));
      };
      child.stdout?.on('data', look);
      child.stderr?.on('data', look);
      child.once('exit', () => reject(new Error(`kubectl port-forward ${target}: ${output}`)));
    });
  }

  close(): void {
    this.child.kill();
  }
}

/** The log of the pods that are there now, from their start to their end. */
export class LogWatch {
  private readonly lines: string[] = [];
  private readonly child: ChildProcess;

  /** @param labels selector of the pods */
  constructor(namespace: string, labels: string) {
    const follow = ['logs', '-f', '--prefix', '--tail=-1', '--max-log-requests=50', '-l', labels];
    this.child = tie(spawn('kubectl', ['-n', namespace, ...follow]));
    let rest = '';
    this.child.stdout?.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      this.lines.push(...lines);
    });
  }

  /** Pods that have written this. */
  saying(text: string): Set<string> {
    const found = this.lines.filter((line) => line.includes(text));
    return new Set(found.map((line) => /^\[pod\/([^/]+)/.exec(line)?.[1] ?? ''));
  }

  close(): void {
    this.child.kill();
  }
}
