import type { ColumnType, Generated, Kysely } from 'kysely';
import type { Attachment, MessageType, UserStatus } from '@streamgate/protocol/chat';
import type { ConversationKind, MemberRole } from './chat-store.js';

/** The schema as the newest migration leaves it. Why it is so stands in migrations.ts. */

type SetByDatabase = ColumnType<Date, Date | undefined, Date>;

interface Conversations {
  id: Generated<number>;
  kind: ConversationKind;
  title: string | null;
  created_by: string;
  /** The two users of a direct conversation, the lesser first. */
  direct_low: string | null;
  direct_high: string | null;
  last_seq: Generated<number>;
  created_at: SetByDatabase;
  updated_at: SetByDatabase;
}

interface Members {
  conversation_id: number;
  user_id: string;
  role: Generated<MemberRole>;
  joined_at: SetByDatabase;
  /** The member's own newest message. */
  last_sent_seq: Generated<number>;
  last_read_seq: Generated<number>;
  last_delivered_seq: Generated<number>;
}

export interface Messages {
  id: Generated<number>;
  conversation_id: number;
  seq: number;
  sender_id: string;
  type: MessageType;
  content: string;
  attachment: ColumnType<Attachment | null, Attachment | null | undefined, null>;
  client_message_id: string | null;
  created_at: SetByDatabase;
  updated_at: SetByDatabase;
  deleted_at: Date | null;
}

interface Reactions {
  message_id: number;
  user_id: string;
  reaction: string;
  created_at: SetByDatabase;
}

interface Statuses {
  user_id: string;
  status: UserStatus;
}

interface Migrations {
  number: number;
  name: string;
  /** The least migration that code must know to work with what this one left behind. */
  needs: number;
  applied_at: SetByDatabase;
}

export interface Tables {
  conversations: Conversations;
  members: Members;
  messages: Messages;
  reactions: Reactions;
  statuses: Statuses;
  migrations: Migrations;
}

/** Name of the schema in PostgreSQL, apart from what else lives in the database. */
export const SCHEMA = 'streamgate';

export type Db = Kysely<Tables>;
