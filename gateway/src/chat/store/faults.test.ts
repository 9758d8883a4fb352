import { expect, test } from 'vitest';
import { faultOf } from './faults.js';

const said = (code: string) =>
  Object.assign(new Error('quotes "hunter2"'), { code, severity: 'ERROR' });
const system = (code: string) => Object.assign(new Error('connect 10.0.0.1:5432'), { code });

test.each([
  [said('08006'), 'cut'],
  [said('57P01'), 'cut'],
  [said('57P03'), 'away'],
  [said('25006'), 'away'],
  [said('57014'), 'busy'],
  [said('55P03'), 'busy'],
  [said('40P01'), 'busy'],
  [said('53300'), 'busy'],
  [said('28P01'), 'config'],
  [said('3D000'), 'config'],
  [said('42501'), 'config'],
  [said('23505'), 'ours'],
  [said('XX000'), 'ours'],
  [system('ECONNREFUSED'), 'away'],
  [system('ENOTFOUND'), 'away'],
  [system('ETIMEDOUT'), 'away'],
  [system('ECONNRESET'), 'cut'],
  [system('EPIPE'), 'cut'],
  [new Error('timeout exceeded when trying to connect'), 'busy'],
  [new Error('Query read timeout'), 'away'],
  [new Error('Connection terminated due to connection timeout'), 'away'],
  [new Error('Connection terminated unexpectedly'), 'cut'],
  [new Error('The server does not support SSL connections'), 'config'],
  [new Error('PGlite is closed'), 'cut'],
  [Object.assign(new Error('unreachable'), { name: 'RuntimeError' }), 'away'],
  [new TypeError('x is not a function'), 'ours'],
  ['text', 'ours'],
])('%s: %s', (error, kind) => {
  const fault = faultOf(error);
  expect(fault.kind).toBe(kind);
  expect(fault.reason).toMatch(/./);
  expect(fault.reason).not.toMatch(/hunter2|10\.0/);
});
