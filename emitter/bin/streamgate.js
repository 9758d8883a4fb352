#!/usr/bin/env node
// Not built, so that it can be executed as soon as npm has linked it.
import '../dist/cli/main.js';
