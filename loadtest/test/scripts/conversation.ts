/** What both clients, socket.io-client and the one for k6, must do and see alike. */

/** The part of the two clients' interface that is used here. */
export interface Client {
  connected: boolean;
  recovered: boolean;
  active: boolean;
  id?: string | undefined;
  volatile: Client;
  io: {
    engine: unknown;
    on(event: string, listener: (...args: never[]) => void): unknown;
  };
  on(event: string, listener: (...args: never[]) => void): unknown;
  once(event: string, listener: (...args: never[]) => void): unknown;
  off(event?: string, listener?: (...args: never[]) => void): unknown;
  onAny(listener: (...args: never[]) => void): unknown;
  emit(event: string, ...args: unknown[]): unknown;
  emitWithAck(event: string, ...args: unknown[]): Promise<unknown>;
  timeout(ms: number): {
    emit(event: string, ...args: unknown[]): unknown;
    emitWithAck(event: string, ...args: unknown[]): Promise<unknown>;
  };
  connect(): unknown;
  disconnect(): unknown;
}

export interface Clients {
  io: (url: string, options: object) => Client;
  manager: (url: string, options: object) => { socket(nsp: string, options?: object): Client };
  delay: (ms: number) => Promise<unknown>;
}

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);

/** Writes JSON in which bytes are seen. */
function shown(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    // What a Buffer of Node makes of itself.
    const { type, data } = Object(item) as { type?: unknown; data?: unknown };
    if (type === 'Buffer') return { bytes: data };
    if (item instanceof ArrayBuffer) return { bytes: [...new Uint8Array(item)] };
    if (ArrayBuffer.isView(item)) {
      return { bytes: [...new Uint8Array(item.buffer, item.byteOffset, item.byteLength)] };
    }
    if (item instanceof Error) return { error: item.message };
    return typeof item === 'function' ? 'function' : item;
  });
}

/** Everything that the client is asked and sees, in its order. */
export async function converse(
  { io, manager, delay }: Clients,
  url: string,
  transports: string[],
): Promise<string[]> {
  const log: string[] = [];
  const say = (what: string, ...args: unknown[]) =>
    log.push(`${what} ${args.map(shown).join(' ')}`);
  const event = (socket: Client, name: string) =>
    new Promise<void>((resolve) => {
      socket.once(name, () => resolve());
    });
  const quick = { transports, reconnectionDelay: 10, randomizationFactor: 0 };

  const socket = io(`${url}?from=query`, {
    ...quick,
    auth: { who: 'ü', nested: { a: [1, null] } },
  });
  // An event that can be recovered ends in its offset, which is another one each time.
  socket.onAny((...args: unknown[]) => {
    const offset = args.length > 1 && /^[\w-]{7}(\.\w+)?$/.test(String(args.at(-1)));
    say('any', ...(offset ? args.slice(0, -1) : args));
  });
  socket.on('connect', () => say('connect', socket.connected, socket.recovered));
  socket.on('disconnect', (reason: string) => say('disconnect', reason, socket.active));
  socket.on('question', (...args: unknown[]) => {
    const give = args.pop() as (...answers: unknown[]) => void;
    give(...args, 'first');
    give('second is not sent');
  });
  // Before there is a connection: kept, in order; volatile ones are not.
  socket.emit('early', 1);
  socket.volatile.emit('lost', 1);
  const early = new Promise<unknown[]>((resolve) => {
    socket.timeout(5000).emit('echo', 'early too', (...answer: unknown[]) => resolve(answer));
  });
  await event(socket, 'connect');
  say('early', ...(await early));
  // With polling first: only when the WebSocket has taken over is the order of frames the same.
  if (transports.length > 1) {
    const engine = socket.io.engine as { transport: { name: string } };
    while (engine.transport.name !== 'websocket') await delay(10);
    log.length = 0;
  }

  say('text', await socket.emitWithAck('echo', 'x', 1, -1.5e-7, true, null, [], {}, 'ü\u2028😀'));
  socket.emit('echo', { a: { b: [1, 2] } }, 'more', (...answer: unknown[]) =>
    say('all', ...answer),
  );
  say('undefined', await socket.emitWithAck('echo', undefined, { gone: undefined }));
  say('date', await socket.emitWithAck('echo', new Date(0)));
  say('asked', await socket.emitWithAck('ask', 1, 'two'));
  say('digits', await socket.emitWithAck('echo', '12[3]'));
  say('binary', await socket.emitWithAck('echo', bytes(0, 1, 255)));
  const part = bytes(1, 2, 3, 4, 5).subarray(1, 3);
  say('nested', await socket.emitWithAck('echo', { deep: [{ part }, bytes()], n: 1 }));
  say('asked binary', await socket.emitWithAck('ask', bytes(7).buffer));
  const late = await socket
    .timeout(20)
    .emitWithAck('nobody answers')
    .catch((error: Error) => error);
  say('late', late);
  socket.timeout(5000).emit('echo', 'in time', (...answer: unknown[]) => say('timeout', ...answer));
  await socket.emitWithAck('echo');
  const removed = () => say('never');
  socket.on('question', removed);
  socket.off('question', removed);
  await socket.emitWithAck('ask', 'after off');
  try {
    socket.emit('connect', 1);
  } catch (error) {
    say('reserved', error);
  }

  // The server drops the transport: back by itself, with its state; answers under way are lost.
  const lost = socket.emitWithAck('nobody answers').catch((error: Error) => error);
  const plain = (...answer: unknown[]) => say('never', ...answer);
  socket.emit('nobody answers', plain);
  socket.emit('drop');
  await event(socket, 'disconnect');
  say('lost', await lost, socket.id === undefined);
  socket.emit('while away', 1);
  await event(socket, 'connect');
  await socket.emitWithAck('echo');
  say('recovered', socket.recovered);

  // The server ends the session: not tried again by itself.
  socket.emit('kick');
  await event(socket, 'disconnect');
  say('kicked', socket.active, socket.connected);
  socket.connect();
  await event(socket, 'connect');
  socket.emit('kick-all');
  await event(socket, 'disconnect');
  say('kicked', socket.active);

  // A refusal: final, with its data.
  const refused = io(url, { ...quick, auth: { refuse: 'because' } });
  const refusal = await new Promise<Error & { data?: unknown }>((resolve) => {
    refused.once('connect_error', resolve);
  });
  say('refused', refusal.message, refusal.data, refused.active, refused.connected);

  // Two namespaces share a connection; it ends with the last one.
  const shared = manager(url, { ...quick, autoConnect: false });
  const one = shared.socket('/', { auth: { who: 'one' } });
  const two = shared.socket('/other', {
    auth: (give: (auth: object) => void) => give({ who: 'two' }),
  });
  two.on('disconnect', (reason: string) => say('two', reason));
  one.connect();
  await event(one, 'welcome');
  two.connect();
  await event(two, 'welcome');
  say('same', (await two.emitWithAck('echo', 'in /other', bytes(9))) !== undefined);
  say('namespaces', shared.socket('/other') === two);
  one.disconnect();
  say('stays', await two.emitWithAck('echo', 'still here'));
  two.disconnect();
  say('ended', two.active, two.connected);

  // What nobody lets in: each attempt fails, and after the last one that is said.
  const attempts: string[] = [];
  const nobody = io('http://127.0.0.1:9', { ...quick, reconnectionAttempts: 3 });
  nobody.on('connect_error', () => attempts.push('error'));
  nobody.io.on('reconnect_attempt', (count: number) => attempts.push(`attempt ${count}`));
  await new Promise<void>((resolve) => {
    nobody.io.on('reconnect_failed', () => resolve());
  });
  say('attempts', attempts);
  return log;
}
