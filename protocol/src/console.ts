import { z } from 'zod';

/** What the console asks the node that serves it, at `GET /console/settings`. */
export interface ConsoleSettings {
  readonly mode: 'production' | 'development';
  /** Whether this node makes tokens for whoever asks from here: development, this machine only. */
  readonly tokens: boolean;
}

/** `POST /console/token`: whom to make a token for, in development. */
export const TokenRequest = z.object({
  userId: z.string().min(1).max(200),
  roles: z.array(z.string().min(1).max(100)).max(20).default([]),
});
export type TokenRequest = z.infer<typeof TokenRequest>;

/** The answer to a `TokenRequest`. */
export interface MadeToken {
  readonly token: string;
}
