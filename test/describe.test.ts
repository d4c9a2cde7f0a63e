import { expect, it, describe as suite } from 'vitest';
import { describe } from '../lib/describe.js';

class Row {
  password = 'secret';
}
const round: unknown[] = [];
round.push(round);

suite('a value in an error', () => {
  it.each<[unknown, string]>([
    [undefined, 'undefined'],
    [null, 'null'],
    [true, 'true'],
    [5, '5'],
    [-0, '-0'],
    [Number.NaN, 'NaN'],
    [5n, '5n'],
    ['', '""'],
    ['a "b"', '"a \\"b\\""'],
    [Symbol('s'), 'Symbol(s)'],
    [[], '[]'],
    [[1, 'a', null], '[1,"a",null]'],
    [{ at: { b: [2] } }, '{"at":{"b":[2]}}'],
    [{ id: 5n, row: new Row(), last: undefined }, '{"id":"5n","row":"a Row","last":"undefined"}'],
    [{ fetch: function fetch() {} }, '{"fetch":"the function fetch"}'],
    [Row, 'the class Row'],
    [function build() {}, 'the function build'],
    [
      (
        () => () =>
          1
      )(),
      'a function',
    ],
    [new Row(), 'a Row'],
    [new Map(), 'a Map'],
    [new Date(0), 'a Date'],
    [new Date(Number.NaN), 'an invalid Date'],
    [new TypeError('no'), 'TypeError: no'],
    [Object.create(null), '{}'],
    [{ toJSON: () => 1 }, 'an Object'],
    [round, 'an object that holds itself'],
  ])('%s is shown as %s', (value, shown) => {
    expect(describe(value)).toBe(shown);
  });

  it('describe() truncates a value after 200 characters', () => {
    expect(describe(['x'.repeat(300)])).toBe(`["${'x'.repeat(198)}…`);
    expect(describe('x'.repeat(300))).toBe(`"${'x'.repeat(200)}…"`);
  });
});
