import { GatewayError, toGatewayError } from '@streamgate/protocol/errors';
import type { Delivered } from '@streamgate/protocol/server-events';
import { log } from '../ops/log.js';
import { metrics } from '../ops/metrics.js';
import type { Backplane, Publication } from './backplane.js';
import { fromClient } from './origin.js';

/**
 * Publishes what a client said or did; while the backplane is away, delivers it to this node's
 * sessions instead and counts it as not forwarded.
 * @throws whatever else `publish` throws
 */
export async function forward(backplane: Backplane, publication: Publication): Promise<Delivered> {
  // One object: the backplane knows by it what it could not publish.
  const said = { ...publication, origin: fromClient() };
  try {
    await backplane.publish(said);
    return { scope: 'cluster' };
  } catch (error) {
    if (!(error instanceof GatewayError && error.code === 'backplane_unavailable')) throw error;
    backplane.deliverLocally(said);
    metrics.notForwarded.add();
    return { scope: 'local' };
  }
}

/** Forwards something that nobody waits for, so that no reply waits for Redis. */
export function announce(backplane: Backplane, publication: Publication): void {
  forward(backplane, publication).catch((error: unknown) => {
    log.error({ err: toGatewayError(error), event: publication.event }, 'announcement failed');
  });
}
