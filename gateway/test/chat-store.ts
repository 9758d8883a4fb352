import { createChatStore } from '../src/chat/store/create-chat-store.js';
import type { ChatStore } from '../src/chat/store/chat-store.js';
import type { DatabaseConfig } from '../src/config.js';

/** As the configuration has it by default, with PGlite in memory. */
export const DATABASE_CONFIG: DatabaseConfig = {
  databaseUrl: undefined,
  dataDir: undefined,
  databasePool: 10,
  databaseTimeoutMs: 3000,
  databaseConnectTimeoutMs: 2000,
  databaseIdleMs: 30_000,
};

export async function openStore(config: Partial<DatabaseConfig> = {}): Promise<ChatStore> {
  const store = createChatStore({ ...DATABASE_CONFIG, ...config });
  await store.start();
  return store;
}

/** A group of its own, so that tests in one database do not meet. */
export async function makeGroup(store: ChatStore, members: readonly string[]): Promise<number> {
  const { conversation } = await store.createConversation({
    kind: 'group',
    createdBy: members[0] ?? '',
    members,
  });
  return conversation.id;
}
