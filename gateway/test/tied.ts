import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';

/** Reads which processes to end when nobody can write to it any more: signal and pid each. */
const WATCHDOG = `
tied=
while read -r sign each; do
  case $sign in
  +) tied="$tied $each" ;;
  -) kept=; for one in $tied; do [ "$one" = "$each" ] || kept="$kept $one"; done; tied=$kept ;;
  esac
done
for one in $tied; do kill -"\${one%%:*}" "\${one#*:}"; done`;

let watchdog: Socket | undefined;

/** Lets a child process end with this one, however that ends: of SIGKILL nothing in here hears. */
export function tie(child: ChildProcess, signal: 'KILL' | 'QUIT' = 'KILL'): ChildProcess {
  // It could not be started.
  if (child.pid === undefined) return child;
  const pipe = (watchdog ??= watch());
  const name = `${signal}:${child.pid}`;
  pipe.write(`+ ${name}\n`);
  child.once('exit', () => pipe.write(`- ${name}\n`));
  return child;
}

function watch(): Socket {
  // Detached: what ends a whole group of processes must not take it along.
  const shell = spawn('sh', ['-c', WATCHDOG], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  const pipe = shell.stdin as Socket;
  shell.unref();
  pipe.unref();
  return pipe;
}
