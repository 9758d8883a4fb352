/**
 * Events that services send through a door, with the payloads that the documents show. They pass
 * as sent: these types help a client and the emitter, the gateway never validates by them.
 */
export interface ServiceEvents {
  /** Document 1: the user's sessions also join the room. */
  'join:room': { room: string };
  /** Document 1: the user's sessions also leave the room. */
  'leave:room': { room: string };
  /** Document 4. */
  discussion_message: {
    id: string;
    discussionId: string;
    userId: string;
    content: string;
    timestamp: string;
  };
  discussion_reaction: {
    discussionId: string;
    userId: string;
    reaction: string;
    timestamp: string;
  };
  live_session_event: { sessionId: string; type: string; userId: string; data?: unknown };
  course_announcement: {
    courseId: string;
    title: string;
    message: string;
    instructorId?: string;
    timestamp: string;
  };
  course_update: {
    courseId: string;
    type: string;
    title: string;
    message: string;
    data?: unknown;
    timestamp: string;
  };
  private_message: Record<string, unknown>;
  announcement: Record<string, unknown>;
  system_announcement: Record<string, unknown>;
}
