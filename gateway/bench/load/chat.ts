import { bounded, refused, sessions } from './sessions.js';
import type { WireClient } from './wire-client.js';

/** Sessions that write to each other: those of one group send, those of another listen too. */
export interface Chatting {
  senders: number;
  receivers: number;
  /** Of sender and receiver `i`; one for all when there is only one. */
  conversations: readonly number[];
}

export const chatOperations = {
  /** Sender and receiver `i` join conversation `i`; resolves when all have their ack. */
  async joinConversations({ senders, receivers, conversations }: Chatting): Promise<void> {
    const clients = [sessions(senders), sessions(receivers)];
    let missing = 2 * conversations.length;
    await bounded((resolve, reject) => {
      for (const group of clients)
        conversations.forEach((conversationId, index) => {
          const client = group[index]!;
          client.onPacket = (packet) => {
            if (packet.toString('latin1', 0, 8) !== '3/chat,0') return;
            if (packet.includes('"error"')) reject(refused(packet));
            if (--missing === 0) resolve();
          };
          client.send(`2/chat,0["join-conversation",{"conversationId":${conversationId}}]`);
        });
    });
  },

  /**
   * Sends until `count` messages are done: confirmed to the sender and received by the other.
   * @param window messages that each sender has under way at once
   */
  async chat({
    senders,
    receivers,
    conversations,
    count,
    window,
  }: Chatting & { count: number; window: number }): Promise<void> {
    const from = sessions(senders);
    const to = sessions(receivers);
    let sent = 0;
    let done = 0;
    await bounded((resolve, reject) => {
      conversations.forEach((conversation_id, index) => {
        const sender = from[index]!;
        const message = JSON.stringify({ conversation_id, content: 'm'.repeat(100) });
        const send = () => {
          if (sent === count) return;
          sent++;
          sender.send(`2/chat,["send-message",${message}]`);
        };
        // Both come in order: what both have is as many as the one that is behind has.
        let confirmed = 0;
        let received = 0;
        const step = (client: WireClient) => {
          const before = Math.min(confirmed, received);
          if (client === sender) confirmed++;
          else received++;
          if (Math.min(confirmed, received) === before) return;
          if (++done === count) resolve();
          else send();
        };
        sender.onPacket = (packet, client) => {
          if (packet.includes('["message-sent"')) step(client);
          else if (packet.includes('["message-error"')) reject(refused(packet));
        };
        to[index]!.onPacket = (packet, client) => {
          if (packet.includes('["receive-message"')) step(client);
        };
        for (let under = 0; under < window; under++) send();
      });
    });
    for (const client of [...from, ...to]) client.onPacket = () => undefined;
  },
};
