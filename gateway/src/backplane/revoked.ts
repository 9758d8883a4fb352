import { LRUCache } from 'lru-cache';
import type { Revocation } from './registry.js';

/** Users that are remembered at most; the oldest is forgotten first. */
const USERS_MAX = 100_000;

/** Revocations in the memory of this node. */
export class Revoked {
  private readonly users = new LRUCache<string, number>({ max: USERS_MAX });

  /** Later moments replace earlier ones, and never the other way round. */
  add({ userId, issuedUntil, until }: Revocation): void {
    const ttl = until - Date.now();
    if (ttl <= 0) return;
    const before = this.users.peek(userId) ?? 0;
    const remaining = this.users.getRemainingTTL(userId);
    this.users.set(userId, Math.max(before, issuedUntil), { ttl: Math.max(ttl, remaining) });
  }

  /** @param issuedAt of a token, in milliseconds since the epoch; one without it is refused */
  has(userId: string, issuedAt: number | undefined): boolean {
    const issuedUntil = this.users.peek(userId);
    return issuedUntil !== undefined && (issuedAt ?? 0) <= issuedUntil;
  }

  all(): Revocation[] {
    return [...this.users.entries()].map(([userId, issuedUntil]) => ({
      userId,
      issuedUntil,
      until: Date.now() + this.users.getRemainingTTL(userId),
    }));
  }
}
