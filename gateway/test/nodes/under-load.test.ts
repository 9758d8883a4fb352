import { afterEach, describe, expect, test } from 'vitest';
import { Client, eventually } from '../client.js';
import { Proxy, portOf } from '../proxy.js';
import { rest } from '../rest.js';
import { tokenOf } from '../tokens.js';
import { BACKPLANES, Several } from './several.js';

const MEMBERS = 10;

describe.each(BACKPLANES)('kill -9 of one node under load on %s', (backplane) => {
  let several: Several;
  const proxies: Proxy[] = [];
  const clients: Client[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    for (const proxy of proxies.splice(0)) await proxy.stop();
    await several.stop();
  });

  test('the others go on serving, and its clients move to them', async () => {
    several = await Several.start(3, backplane, {
      STREAMGATE_EVENTS_PER_SECOND: '1000',
      STREAMGATE_EVENTS_BURST: '1000',
    });
    const members = await Promise.all(
      several.nodes.map(async (node, which) => {
        const proxy = await Proxy.start([node.url]);
        proxies.push(proxy);
        return Promise.all(
          Array.from({ length: MEMBERS }, async (_, index) => {
            const client = new Client(proxy.url, {
              auth: { token: await tokenOf({ id: `user-${which}-${index}` }) },
              transports: ['websocket'],
              reconnectionDelay: 100,
              reconnectionDelayMax: 500,
            });
            clients.push(client);
            await client.next('connected');
            await client.ask('join-room', { room: 'load' });
            return client;
          }),
        );
      }),
    );
    const [survivors, orphans] = [[...members[0]!, ...members[2]!], members[1]!];

    // Every survivor speaks, one message after the other, all the time.
    let going = true;
    const counts = survivors.map(() => 0);
    const load = survivors.map(async (client, index) => {
      while (going) {
        const message = `${index}:${counts[index]!++}`;
        const answer = await client.ask('room-message', { room: 'load', message });
        expect(answer).toEqual({ data: { scope: 'cluster' } });
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    });
    const spoken = (times: number) =>
      eventually(
        () => Math.min(...counts),
        (least) => least >= times,
      );
    await spoken(10);
    await several.node(2).kill();
    proxies[1]!.targets = [portOf(several.node(1).url), portOf(several.node(3).url)];
    await Promise.all(orphans.map((client) => client.next('connected', 20_000)));
    await spoken(Math.max(...counts) + 20);
    going = false;
    await Promise.all(load);

    // Each survivor heard every message of each survivor, in order and once.
    await rest(several.node(1), 'POST /websocket/broadcast', { message: 'end' });
    for (const client of survivors) {
      await client.next('broadcast-notification');
      const heard = survivors.map((): number[] => []);
      for (const { message } of client.all('room-message') as { message: string }[]) {
        const [speaker, count] = message.split(':').map(Number) as [number, number];
        heard[speaker]!.push(count);
      }
      expect(heard).toEqual(counts.map((count) => Array.from({ length: count }, (_, n) => n)));
    }
    for (const client of orphans)
      expect(await client.ask('send-message', { message: 'here' })).toEqual({
        data: { scope: 'cluster' },
      });
    expect((await rest(several.node(3), 'GET /api/gateway/stats')).body.connectedUsers).toBe(
      3 * MEMBERS,
    );
  });
});
