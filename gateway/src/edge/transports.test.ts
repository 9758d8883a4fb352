import { expect, it } from 'vitest';
import type { SessionSocket } from './session-socket.js';
import { Transports } from './transports.js';

function session(namespace: string, transport: string) {
  return { namespace, connected: true, client: { conn: { transport: { name: transport } } } };
}

it('tells polling from WebSocket, also after an upgrade and an end', () => {
  const transports = new Transports();
  const [one, two, three] = [
    session('/', 'polling'),
    session('/', 'polling'),
    session('/chat', 'websocket'),
  ];
  const all = [one, two, three] as unknown as SessionSocket[];
  for (const each of all) transports.opened(each);
  const count = () => transports.count({ '/': 2, '/chat': 1 });
  expect(count()).toEqual([
    ['/', 'websocket', 0],
    ['/', 'polling', 2],
    ['/chat', 'websocket', 1],
    ['/chat', 'polling', 0],
  ]);
  one.client.conn.transport = { name: 'websocket' };
  expect(count().slice(0, 2)).toEqual([
    ['/', 'websocket', 1],
    ['/', 'polling', 1],
  ]);
  transports.closed(all[1]!);
  expect(transports.count({ '/': 1, '/chat': 1 }).slice(0, 2)).toEqual([
    ['/', 'websocket', 1],
    ['/', 'polling', 0],
  ]);
});

it('one that ended before it was open is not kept', () => {
  const transports = new Transports();
  transports.opened({ ...session('/', 'polling'), connected: false } as unknown as SessionSocket);
  expect(transports.count({ '/': 0 })[1]).toEqual(['/', 'polling', 0]);
});
