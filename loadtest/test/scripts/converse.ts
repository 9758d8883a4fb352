import { io, Manager } from '../../lib/socket.io.ts';
import { delay } from '../../lib/timers.ts';
import { converse, type Clients } from './conversation.ts';

export const options = { vus: 1, iterations: 1 };

export default async function main(): Promise<void> {
  const clients: Clients = {
    io: (url, with_) => io(url, with_),
    manager: (url, with_) => new Manager(url, with_),
    delay,
  };
  const { URL = '', TRANSPORTS = '' } = __ENV;
  console.log(JSON.stringify(await converse(clients, URL, TRANSPORTS.split(','))));
}
