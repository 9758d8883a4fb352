import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { Cluster, TOPOLOGIES } from '../../cluster.js';
import { DOOR_ENV, doorCases } from './cases.js';
import { DOORS } from './doors.js';

describe.each(TOPOLOGIES)('on %s', (topology) => {
  const cluster = new Cluster(topology, { STREAMGATE_TCP_PORT: '0', ...DOOR_ENV });
  beforeAll(() => cluster.start());
  afterEach(() => cluster.clear());
  afterAll(() => cluster.stop());

  const names = Object.keys(DOORS).filter((name) => topology !== 'memory' || name !== 'stream');
  for (const name of names) doorCases(name, cluster, DOORS[name]!);
});
