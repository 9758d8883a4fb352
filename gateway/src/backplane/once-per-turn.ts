/** Acts once for all who ask in one turn of the event loop, when all of them have asked. */
export function oncePerTurn(act: () => Promise<void>): () => Promise<void> {
  let next: Promise<void> | undefined;
  return () => {
    next ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        next = undefined;
        act().then(resolve, reject);
      });
    });
    return next;
  };
}
