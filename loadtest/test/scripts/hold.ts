import { WebSocket } from 'k6/websockets';
import { io } from '../../lib/socket.io.ts';
import { delay } from '../../lib/timers.ts';

const { URL = '', CLIENT = '', SOCKETS = '0', VUS = '1', SECONDS = '10' } = __ENV;
const share = Math.ceil(Number(SOCKETS) / Number(VUS));

export const options = {
  scenarios: {
    hold: { executor: 'per-vu-iterations', vus: Number(VUS), maxDuration: '10m' },
  },
};

/** Holds a share of the sockets open and idle: of this client, or bare ones of k6 that only answer pings. */
export default async function main(): Promise<void> {
  const closers: (() => void)[] = [];
  for (let opened = 0; opened < share; opened += 50) {
    const batch = Math.min(50, share - opened);
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
      ws.addEventListener('message' as never, (event) => {
        const data = String((event as { data?: unknown }).data);
        if (data.startsWith('0')) ws.send('40');
        if (data.startsWith('40')) resolve(() => ws.close());
        if (data === '2') ws.send('3');
      });
    } else {
      const socket = io(URL);
      socket.on('message', () => {});
      socket.on('connect', () => resolve(() => socket.disconnect()));
    }
  });
}
