import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { root } from './programs.ts';

const library = join(root, 'node_modules/socket.io-client/dist/socket.io.esm.min.js');

/** A site of somebody else: one page that runs a script. */
export class Site {
  script = '';
  private readonly server: Server;

  private constructor(server: Server) {
    this.server = server;
  }

  static async start(): Promise<Site> {
    const server = createServer((request, response) => {
      const isLibrary = request.url === '/socket.io-client.js';
      response.setHeader('Content-Type', isLibrary ? 'text/javascript' : 'text/html');
      if (isLibrary) void readFile(library).then((text) => response.end(text));
      else response.end(site.page());
    });
    const site = new Site(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return site;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private page(): string {
    const imports = { 'socket.io-client': '/socket.io-client.js' };
    return `<!doctype html><script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">${this.script}</script>`;
  }
}
