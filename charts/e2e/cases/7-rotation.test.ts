import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client, connect, eventually } from '../../../gateway/test/client.ts';
import { SECRET } from '../../../gateway/test/node.ts';
import { tokenOf } from '../../../gateway/test/tokens.ts';
import { Crowd, gaps } from '../kit/crowd.ts';
import { evidence } from '../kit/evidence.ts';
import { Gateway, PATIENCE_MS } from '../kit/gateway.ts';

const NEXT = 'the-secret-after-the-rotation-long-enough-too';
const ANN = { id: 'ann' };
/** Enough for each of three pods to be asked. */
const TRIES = 12;

const show = evidence(7, 'A new JWT key, without anybody noticing');
let gateway: Gateway;

beforeAll(async () => {
  gateway = await Gateway.install('rotation', { drain: { seconds: 5 } });
});
afterAll(() => gateway.remove());

/** Of so many new clients with a token of this key, how many are let in. */
async function letIn(secret: string): Promise<number> {
  const token = await tokenOf(ANN, 3600, secret);
  const tries = Array.from({ length: TRIES }, async () => {
    const client = new Client(gateway.url, {
      auth: { token },
      transports: ['websocket'],
      reconnection: false,
    });
    const outcome = await new Promise<number>((resolve) => {
      client.socket.once('connect', () => resolve(1));
      client.socket.once('connect_error', ({ message }) => {
        expect(message).toBe('Authentication failed');
        resolve(0);
      });
    });
    client.close();
    return outcome;
  });
  return (await Promise.all(tries)).reduce((sum, one) => sum + one, 0);
}

test('first both keys, then the new one alone', async () => {
  // They come back with tokens of the old key during the first rollout.
  const crowd = await Crowd.gather(gateway, 50);
  crowd.write(50);
  expect([await letIn(SECRET), await letIn(NEXT)]).toEqual([TRIES, 0]);

  await gateway.upgrade({ jwt: { secret: NEXT, previousSecret: SECRET } });
  await gateway.settled(3);
  await gateway.answers();
  expect([await letIn(SECRET), await letIn(NEXT)]).toEqual([TRIES, TRIES]);
  const story = await crowd.end();
  show(`with both keys old and new tokens are let in by every pod; meanwhile ${gaps(story)}`);
  expect(story).toMatchObject({ lost: 0, doubled: 0, outOfOrder: 0, toldFalse: 0 });

  const token = await tokenOf(ANN, 3600, NEXT);
  const { client } = await connect(gateway.url, ANN, {
    auth: { token },
    transports: ['websocket'],
  });
  let returns = 0;
  client.socket.on('connect', () => returns++);
  await gateway.upgrade({ jwt: { previousSecret: '' } });
  await gateway.settled(3);
  await eventually(
    () => returns > 0 && client.socket.connected,
    (isBack) => isBack,
    PATIENCE_MS,
  );
  client.close();
  await gateway.answers();
  expect([await letIn(SECRET), await letIn(NEXT)]).toEqual([0, TRIES]);
  show(
    'after the second rollout old tokens are refused, new ones let in; a client with a new one came back by itself',
  );
});
