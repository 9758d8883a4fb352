import type { UserStatus } from '@streamgate/protocol/chat';
import type {
  ChatStore,
  Membership,
  MessageRange,
  NewConversation,
  NewMessage,
  Page,
  ReactionChange,
  Receipt,
} from './chat-store.js';
import * as conversations from './conversations.js';
import type { Database } from './database.js';
import * as members from './members.js';
import * as messages from './messages.js';
import * as receipts from './receipts.js';
import { SendQueue } from './send-queue.js';
import { writeMessages } from './send-statement.js';

/** The port over SQL, the same for PostgreSQL and PGlite: what is asked, while the database is there. */
export class SqlChatStore implements ChatStore {
  private readonly queue: SendQueue;

  constructor(private readonly database: Database) {
    this.queue = new SendQueue((batch) => database.run((db) => writeMessages(db, batch)));
  }

  start() {
    return this.database.start();
  }

  close() {
    return this.database.close();
  }

  health() {
    return this.database.health();
  }

  createConversation(conversation: NewConversation) {
    return this.database.run((db) => conversations.createConversation(db, conversation));
  }

  conversation(conversationId: number, userId: string) {
    return this.database.run((db) => conversations.conversationOf(db, conversationId, userId));
  }

  conversationsOf(userId: string, page: Page) {
    return this.database.run((db) => conversations.conversationsOf(db, userId, page));
  }

  rename(conversationId: number, title: string) {
    return this.database.run((db) => conversations.renameConversation(db, conversationId, title));
  }

  addMember(conversationId: number, userId: string) {
    return this.database.run((db) => members.addMember(db, conversationId, userId));
  }

  removeMember(conversationId: number, userId: string) {
    return this.database.run((db) => members.removeMember(db, conversationId, userId));
  }

  isMember(conversationId: number, userId: string) {
    return this.database.run((db) => members.isMember(db, conversationId, userId));
  }

  strangers(pairs: readonly Membership[]) {
    return this.database.run((db) => members.strangers(db, pairs));
  }

  membersOf(conversationId: number) {
    return this.database.run((db) => members.membersOf(db, conversationId));
  }

  contactsOf(userId: string, limit: number) {
    return this.database.run((db) => members.contactsOf(db, userId, limit));
  }

  send(message: NewMessage) {
    return this.queue.send(message);
  }

  edit(messageId: number, senderId: string, content: string) {
    return this.database.run((db) => messages.editMessage(db, messageId, senderId, content));
  }

  remove(messageId: number, senderId: string) {
    return this.database.run((db) => messages.removeMessage(db, messageId, senderId));
  }

  messages(range: MessageRange) {
    return this.database.run((db) => messages.messagePage(db, range));
  }

  markRead(receipt: Receipt) {
    return this.database.run((db) => receipts.mark(db, receipt, 'read'));
  }

  markDelivered(receipt: Receipt) {
    return this.database.run((db) => receipts.mark(db, receipt, 'delivered'));
  }

  unreadOf(userId: string, limit: number) {
    return this.database.run((db) => receipts.unreadConversations(db, userId, limit));
  }

  react(change: ReactionChange) {
    return this.database.run((db) => messages.react(db, change));
  }

  setStatus(userId: string, status: UserStatus) {
    return this.database.run((db) => members.setStatus(db, userId, status));
  }

  statusesOf(userIds: readonly string[]) {
    return this.database.run((db) => members.statusesOf(db, userIds));
  }
}
