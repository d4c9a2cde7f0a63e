import 'reflect-metadata';
import assert from 'node:assert/strict';
import { IterationModule } from 'nestjs-iteration';
import { iterate } from 'nestjs-iteration/testing';

// The smoke test replaced the optional peers by packages that record here when they are loaded.
assert.equal(typeof IterationModule, 'function');
assert.equal(typeof iterate, 'function');
process.once('exit', () => assert.equal((globalThis as { loaded?: unknown }).loaded, undefined));
