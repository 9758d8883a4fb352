// Loaded into the nodes that tests start: a node ends when its test is gone, however that went.
process.once('disconnect', () => process.exit(1));
process.channel?.unref();
