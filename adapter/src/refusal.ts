/**
 * Why a session is not continued. `unknown`: it ended, was taken already, or stayed away for too long;
 * `position`: it was not where its offset says; `trimmed`: what it missed is not kept any more, or may
 * have been forgotten by Redis; `node`: the mailbox is gone; `ambiguous`: it is not known what of it was
 * delivered while Redis was away; `redis`: Redis is away.
 */
export type Refusal = 'unknown' | 'position' | 'trimmed' | 'node' | 'ambiguous' | 'redis';

export class Unrecoverable extends Error {
  constructor(readonly why: Refusal) {
    super(why);
  }
}
