import type { Namespace } from 'socket.io';
import { userRoom } from '@streamgate/protocol/rooms';
import type { Backplane } from '../backplane/backplane.js';
import { roomKey } from '../backplane/room-key.js';
import { issuedAt } from '../presence/revocations.js';
import type { Entrants } from './entrants.js';
import { SessionSocket } from './session-socket.js';

/** Ends sessions of this node when a service, or the registry, says so. */
export function closeWhenTold(
  backplane: Pick<Backplane, 'onNotice' | 'registry'>,
  namespaces: readonly Namespace[],
  entrants: Entrants,
): void {
  const named = (name: string) => namespaces.filter((namespace) => namespace.name === name);
  backplane.onNotice((namespace, _to, body) => {
    if (body.kind === 'disconnect') {
      const { users, code, reason } = body;
      const said = { ...(code && { code }), ...(reason && { message: reason }) };
      for (const session of sessionsOf(named(namespace), users)) session.close('service', said);
      entrants.close(namespace, users, ['service', said]);
    } else if (body.kind === 'revoked') {
      // What its users have in other namespaces came with the same tokens.
      for (const session of sessionsOf(namespaces, body.users))
        if ((issuedAt(session.principal) ?? 0) <= body.issuedUntil) session.close('revoked');
    }
  });
  backplane.registry.listen({
    revoked(namespace, sessionId) {
      for (const { sockets } of named(namespace))
        (sockets.get(sessionId) as SessionSocket | undefined)?.close('revoked');
    },
  });
}

function sessionsOf(namespaces: readonly Namespace[], users: readonly string[]): SessionSocket[] {
  const found: SessionSocket[] = [];
  for (const { adapter, sockets } of namespaces)
    for (const user of users)
      for (const id of adapter.rooms.get(roomKey(userRoom(user))) ?? []) {
        const socket = sockets.get(id);
        if (socket instanceof SessionSocket) found.push(socket);
      }
  return found;
}
