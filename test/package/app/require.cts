require('reflect-metadata');

import assert = require('node:assert/strict');
import iteration = require('nestjs-iteration');
import testing = require('nestjs-iteration/testing');

const error: iteration.IterationError = new iteration.InvalidOptionsError('as typed');
assert.ok(error instanceof iteration.IterationError);
assert.equal(typeof iteration.IterationModule, 'function');
assert.ok(new testing.ResumeError('as typed', 'skips', 0, null) instanceof iteration.IterationError);

// Its classes are the same by both ways.
void import('nestjs-iteration').then((imported) => {
  assert.equal(imported.IterationModule, iteration.IterationModule);
});
