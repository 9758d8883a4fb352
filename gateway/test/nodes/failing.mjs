// Loaded into the built program by shutdown.test.ts: a fault that no part of it catches, on demand.
process.on('SIGUSR2', () => {
  setTimeout(() => {
    throw new Error('a fault of the test');
  });
});
