import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Client } from '../../test/client.js';
import { Hold } from './hold.js';
import type { SessionSocket } from './session-socket.js';
import { PACKET, encoded, writePacket } from './socket-io-internals.js';

let server: Server;
let socket: Socket;
let client: Client;
let hold: Hold;
let tag: string | undefined;
let full: number;

beforeEach(async () => {
  const http = createServer();
  server = new Server(http, { transports: ['websocket'] });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const connected = new Promise<Socket>((resolve) => server.once('connection', resolve));
  client = new Client(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, {
    transports: ['websocket'],
  });
  socket = await connected;
  full = 0;
  tag = undefined;
  hold = new Hold(socket as SessionSocket, {
    tag: () => tag,
    maxBytes: 1000,
    onFull: () => full++,
  });
});

afterEach(async () => {
  client.close();
  await server.close();
});

function emit(event: string, tagged?: string): void {
  tag = tagged;
  server.emit(event);
  tag = undefined;
}

const answer = (event: string) => writePacket(socket, { type: PACKET.event, data: [event] });

/** What has come by the time that everything written so far has. */
async function heard(): Promise<string[]> {
  const names: string[] = [];
  client.socket.onAny((name: string) => names.push(name));
  answer('fence');
  await vi.waitUntil(() => names.includes('fence'));
  client.socket.offAny();
  return names.slice(0, -1);
}

test('keeps back what comes live, and lets direct answers through', async () => {
  hold.keep(() => true);
  emit('one');
  emit('two', 'tag-2');
  answer('direct');
  expect(await heard()).toEqual(['direct']);
  expect(hold.pass(() => true)).toEqual(['tag-2']);
  emit('three');
  expect(await heard()).toEqual(['one', 'two', 'three']);
});

test('drops tagged events that are not wanted when they come, or not any more', async () => {
  const unwanted = new Set(['a']);
  hold.keep((each) => !unwanted.has(each));
  emit('a', 'a');
  emit('b', 'b');
  emit('c', 'c');
  unwanted.add('b');
  expect(hold.pass((each) => !unwanted.has(each))).toEqual(['c']);
  emit('again', 'b');
  emit('d', 'd');
  expect(await heard()).toEqual(['c', 'd']);
  expect(hold.end()).toEqual([]);
  emit('e', 'b');
  expect(await heard()).toEqual(['e']);
});

test('may be begun again, and is gone without a trace', async () => {
  const { client: held } = socket;
  hold.keep(() => true);
  emit('one');
  hold.pass(() => true);
  hold.keep(() => true);
  emit('two');
  hold.end();
  expect(socket.client).not.toBe(held);
  expect(Object.hasOwn(socket.client, 'writeToEngine')).toBe(false);
  expect(await heard()).toEqual(['one', 'two']);
});

test('what may be missed is missed', async () => {
  hold.keep(() => true);
  server.volatile.emit('volatile');
  hold.end();
  expect(await heard()).toEqual([]);
});

test('says when more is waiting than may', () => {
  hold.keep(() => true);
  for (let count = 0; count < 9; count++) server.emit('large', 'x'.repeat(100));
  expect(full).toBe(1);
});

test('ends with its socket', async () => {
  hold.keep(() => true);
  emit('one');
  socket.disconnect(true);
  await client.life('disconnect');
  expect(hold.end()).toEqual([]);
});

test('what was missed goes before what comes live, and is not counted', async () => {
  const missed = (event: string) =>
    encoded(socket, { type: PACKET.event, data: [event, 'x'.repeat(2000)] });
  hold.begin([missed('one'), missed('two')]);
  hold.keep(() => true);
  emit('three');
  expect(await heard()).toEqual([]);
  hold.end();
  expect(await heard()).toEqual(['one', 'two', 'three']);
  expect(full).toBe(0);
});
