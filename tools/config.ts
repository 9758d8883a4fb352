/** `make config`: the effective configuration as `make run` would have it, secrets masked. */
import { printConfig } from '../gateway/dist/config-print.js';
import { developmentDefaults } from './development.ts';

process.exitCode = printConfig({ ...process.env, ...developmentDefaults(process.env) });
