import { z } from 'zod';

/**
 * Events that services send through a door, with the payloads that the documents show. They pass
 * as sent: these schemas help a client, the emitter and the reference; the gateway never validates
 * by them.
 */
export const SERVICE_EVENTS = {
  /** Document 1: the user's sessions also join the room. */
  'join:room': z.object({ room: z.string() }),
  /** Document 1: the user's sessions also leave the room. */
  'leave:room': z.object({ room: z.string() }),
  // Document 4
  discussion_message: z.object({
    id: z.string(),
    discussionId: z.string(),
    userId: z.string(),
    content: z.string(),
    timestamp: z.string(),
  }),
  discussion_reaction: z.object({
    discussionId: z.string(),
    userId: z.string(),
    reaction: z.string(),
    timestamp: z.string(),
  }),
  live_session_event: z.object({
    sessionId: z.string(),
    type: z.string(),
    userId: z.string(),
    data: z.unknown().optional(),
  }),
  course_announcement: z.object({
    courseId: z.string(),
    title: z.string(),
    message: z.string(),
    instructorId: z.string().optional(),
    timestamp: z.string(),
  }),
  course_update: z.object({
    courseId: z.string(),
    type: z.string(),
    title: z.string(),
    message: z.string(),
    data: z.unknown().optional(),
    timestamp: z.string(),
  }),
  private_message: z.record(z.string(), z.unknown()),
  announcement: z.record(z.string(), z.unknown()),
  system_announcement: z.record(z.string(), z.unknown()),
  // Document 5: its client listens to these beside `notification`
  alert: z.looseObject({ message: z.string() }),
  update: z.record(z.string(), z.unknown()),
} as const satisfies Record<string, z.ZodType>;

export type ServiceEvents = {
  [E in keyof typeof SERVICE_EVENTS]: z.infer<(typeof SERVICE_EVENTS)[E]>;
};
