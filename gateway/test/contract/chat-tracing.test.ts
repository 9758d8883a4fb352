import { afterAll, beforeAll, expect, test } from 'vitest';
import { ANN, BEN, ChatCluster } from '../chat-cluster.js';
import { OtlpReceiver, SERVICE_SPAN, named, newTrace, parentOf } from '../otlp.js';

const receiver = new OtlpReceiver();
let cluster: ChatCluster;
beforeAll(async () => {
  cluster = new ChatCluster('mailbox', await receiver.start());
  await cluster.start();
});
afterAll(async () => {
  await cluster.stop();
  receiver.stop();
});

test('a message of chat is followed to the sockets of every node, and measured there', async () => {
  const { id, clients } = await cluster.joined(ANN, BEN);
  const [ann, ben] = clients;
  const series = 'streamgate_delivery_seconds_count{door="client"}';
  const nodes = [cluster.one, cluster.two];
  const counts = () => Promise.all(nodes.map((node) => node.metric(series)));
  const before = await counts();
  const trace = newTrace();
  const sent = await ann!.ask('send-message', {
    conversation_id: id,
    sender_id: Number(ANN.id),
    message_type: 'text',
    content: 'Hello',
    traceparent: parentOf(trace),
  });
  const { data: message } = sent;
  expect(await ben!.next('receive-message')).toEqual(message);
  // What becomes of it, too.
  await ann!.ask('edit-message', { message_id: message.id, content: 'Hello!' });
  await ben!.next('message-updated');
  const spans = await receiver.trace(trace, 3);
  const [handled] = named(spans, 'process send-message');
  expect(handled).toMatchObject({ parentSpanId: SERVICE_SPAN, node: String(cluster.one.pid) });
  const delivered = named(spans, 'deliver');
  expect(delivered.map(({ node }) => node).toSorted()).toEqual(
    nodes.map(({ pid }) => String(pid)).toSorted(),
  );
  for (const { parentSpanId, attributes } of delivered) {
    expect(parentSpanId).toBe(handled!.spanId);
    expect(Number(attributes['streamgate.sessions'])).toBe(1);
  }
  expect((await counts()).map((count, at) => count - before[at]!)).toEqual([1, 2]);
});
