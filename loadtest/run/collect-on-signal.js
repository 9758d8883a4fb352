// Loaded into the nodes that are measured, ours and the stock ones alike: SIGUSR2 collects garbage, so that
// memory can be compared.
process.on('SIGUSR2', () => {
  // Finalizers of one collection free what the next one finds.
  for (let round = 0; round < 4; round++) globalThis.gc();
});
