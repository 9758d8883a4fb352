import { WebSocket } from 'k6/websockets';
import { io } from '../../lib/socket.io.ts';
import { delay } from '../../lib/timers.ts';

const { URL = '', CLIENT = '', SOCKETS = '0', VUS = '1', SECONDS = '10' } = __ENV;
/** So many at a time: a server's queue of connects is not long. */
const BATCH = 20;
const share = Math.ceil(Number(SOCKETS) / Number(VUS));

export const options = {
  scenarios: {
    hold: { executor: 'per-vu-iterations', vus: Number(VUS), maxDuration: '10m' },
  },
};

/** Holds a share of the sockets open and idle: of this client, or bare ones of k6 that only answer pings. */
export default async function main(): Promise<void> {
  const closers: (() => void)[] = [];
  for (let opened = 0; opened < share; opened += BATCH) {
    const batch = Math.min(BATCH, share - opened);
    await Promise.all(Array.from({ length: batch }, async () => closers.push(await open())));
  }
  console.log(JSON.stringify({ open: closers.length }));
  await delay(Number(SECONDS) * 1000);
  for (const close of closers) close();
}

function open(): Promise<() => void> {
  return new Promise((resolve) => {
    if (CLIENT === 'bare') {
      const ws = new WebSocket(`${URL.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
      // Not upon the handshake, which k6 may lose.
      ws.addEventListener('open' as never, () => ws.send('40'));
      ws.addEventListener('message' as never, (event) => {
        const data = String((event as { data?: unknown }).data);
        if (data.startsWith('40')) resolve(() => ws.close());
        if (data === '2') ws.send('3');
      });
      ws.addEventListener('error' as never, (event) => {
        throw new Error((event as { error: string }).error);
      });
    } else {
      const socket = io(URL);
      socket.on('message', () => {});
      socket.on('connect', () => resolve(() => socket.disconnect()));
    }
  });
}
