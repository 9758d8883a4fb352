import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';

/** The network between one node and a server, to be broken in the ways networks break. */
export interface Cable {
  /** As of Redis. */
  readonly url: string;
  readonly port: number;
  /** Nothing passes any more, and nobody is told: as for a process that is stopped. */
  hang(): void;
  /** What is asked arrives, and no answer comes back. */
  deafen(): void;
  /** Connections end, and new ones are refused. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

export async function layCable(port: number): Promise<Cable> {
  const sockets = new Set<Socket>();
  let state: 'fine' | 'hanging' | 'deaf' | 'cut' = 'fine';
  const server = createServer((near) => {
    if (state === 'cut') {
      near.destroy();
      return;
    }
    const far = connect(port, '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('data', (chunk) => {
        if (state !== 'deaf' || other === far) other.write(chunk);
      });
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      if (state === 'hanging') socket.pause();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = (server.address() as AddressInfo).port;
  return {
    url: `redis://127.0.0.1:${near}`,
    port: near,
    hang() {
      state = 'hanging';
      for (const socket of sockets) socket.pause();
    },
    deafen() {
      state = 'deaf';
    },
    cut() {
      state = 'cut';
      for (const socket of sockets) socket.destroy();
    },
    mend() {
      state = 'fine';
      for (const socket of sockets) socket.resume();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
