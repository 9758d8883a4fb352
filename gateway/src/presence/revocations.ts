import { toGatewayError } from '@streamgate/protocol/errors';
import type { Principal } from '@streamgate/protocol/principal';
import type { Backplane } from '../backplane/backplane.js';
import { Revoked } from '../backplane/revoked.js';
import { log } from '../ops/log.js';

/**
 * Whose tokens services have revoked, in the memory of every node, so that it holds while Redis is
 * away: heard as a notice, and read from the registry whenever Redis comes (back).
 */
export class Revocations {
  private readonly revoked = new Revoked();

  constructor(private readonly backplane: Backplane) {
    backplane.onNotice((_namespace, _to, body) => {
      if (body.kind !== 'revoked') return;
      for (const userId of body.users) this.revoked.add({ ...body, userId });
    });
    backplane.onHealthChange(({ up }) => void (up && this.load()));
  }

  /** Whether the principal's token is refused. */
  has(principal: Principal): boolean {
    return this.revoked.has(principal.userId, issuedAt(principal));
  }

  private async load(): Promise<void> {
    try {
      for (const each of await this.backplane.registry.revocations()) this.revoked.add(each);
    } catch (thrown) {
      const { code, cause } = toGatewayError(thrown);
      // Away again: it is read when Redis is back.
      if (code !== 'backplane_unavailable') log.error({ err: cause }, 'revocations not read');
    }
  }
}

/** When the principal's token was issued, in milliseconds since the epoch; unknown without `iat`. */
export function issuedAt({ claims }: Principal): number | undefined {
  const { iat } = claims;
  return typeof iat === 'number' ? iat * 1000 : undefined;
}
