import { z } from 'zod';

const Allow = z.union([
  z.enum(['anyone', 'no one', 'service']),
  z.strictObject({ roles: z.array(z.string().min(1)).min(1) }),
  /** The claim (a dotted path) holds the value: equal to it, or an array that contains it. */
  z.strictObject({ claim: z.string().min(1), contains: z.string() }),
]);

/**
 * One rule: which rooms, and who may join them. `*` in `rooms` stands for any text; in
 * `contains`, `$1` is what the first `*` stood for, `$2` the second.
 */
export const RoomRule = z.strictObject({ rooms: z.string().min(1).max(200), allow: Allow });
export type RoomRule = z.infer<typeof RoomRule>;

/** `STREAMGATE_ROOM_RULES`: JSON text -> rules, first match decides. */
export const RoomRules = z.string().transform((text, context) => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'must be a JSON list of rules' });
    return z.NEVER;
  }
  const rules = z.array(RoomRule).safeParse(json);
  if (rules.success) return rules.data;
  for (const issue of rules.error.issues)
    context.addIssue({ code: 'custom', message: `rule ${issue.path.join('.')}: ${issue.message}` });
  return z.NEVER;
});
