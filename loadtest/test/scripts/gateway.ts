import http from 'k6/http';
import { io, type Socket } from '../../lib/socket.io.ts';
import { delay } from '../../lib/timers.ts';
import { token } from '../../lib/token.ts';

export const options = { vus: 2, iterations: 2 };

const { URL = '', CONTROL = '', SECRET = '', PEOPLE = '4', EVENTS = '10' } = __ENV;

interface Seen {
  user: string;
  socket: Socket;
  news: number[];
  connected: { userId: string; recovered: boolean }[];
}

/** People of a gateway of which a node is killed: what each of them saw. */
export default async function main(): Promise<void> {
  const people = await Promise.all(
    Array.from({ length: Number(PEOPLE) }, (_, index) => join(`user-${__VU}-${index}`)),
  );
  // The test kills a node and sends news to all, and answers when all is sent.
  await http.asyncRequest('POST', CONTROL, people.map(({ user }) => user).join());
  const missing = () => people.filter(({ news }) => news.length < Number(EVENTS));
  const end = Date.now() + 15_000;
  while (missing().length > 0 && Date.now() < end) await delay(20);
  for (const { user, socket, news, connected } of people) {
    console.log(JSON.stringify({ user, news, connected, recovered: socket.recovered }));
    socket.disconnect();
  }
}

async function join(user: string): Promise<Seen> {
  const socket = io(URL, {
    auth: { token: token({ sub: user }, SECRET) },
    reconnectionDelay: 50,
    randomizationFactor: 0,
  });
  const seen: Seen = { user, socket, news: [], connected: [] };
  socket.on('news', ({ n }: { n: number }) => seen.news.push(n));
  socket.on('connected', ({ userId, recovered }: Seen['connected'][0]) => {
    seen.connected.push({ userId, recovered });
  });
  await new Promise<void>((resolve) => {
    socket.once('connect', resolve);
  });
  await socket.timeout(5000).emitWithAck('ping');
  return seen;
}
