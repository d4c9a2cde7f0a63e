import 'reflect-metadata';
import assert from 'node:assert/strict';
import { IterationModule } from 'nestjs-iteration';

// The smoke test replaced the optional peers by packages that record here when they are loaded.
assert.equal(typeof IterationModule, 'function');
process.once('exit', () => assert.equal((globalThis as { loaded?: unknown }).loaded, undefined));
