import { expect, test } from 'vitest';
import { normalizePath, pathOnly, queryValue } from './path.ts';

/** Mode BASE of spec l7 3.9. */
test.for([
  ['/', '/'],
  ['/a/b?c=/../d', '/a/b?c=/../d'],
  ['/app/../admin', '/admin'],
  ['/app/./x', '/app/x'],
  ['/app/..', '/'],
  ['/../../etc', '/etc'],
  ['/xyz%30..//abc', '/xyz0..//abc'],
  ['/app//../../admin', '/admin'],
  ['/app/\\/\\/\\admin', '/app//////admin'],
  ['/a%2Fb%5Cc', '/a%2Fb%5Cc'],
  ['/%61dmin', '/admin'],
  ['/a#fragment', '/a'],
  ['/%252e', '/%252e'],
  ['/%zz/%1', '/%zz/%1'],
  ['/a|b{c}"<d>^`?|', '/a%7Cb%7Bc%7D%22%3Cd%3E%5E%60?|'],
] as const)('%s becomes %s', ([target, normalized]) => {
  expect(normalizePath(target)).toBe(normalized);
});

test('a path with a NUL has no normal form', () => {
  expect(normalizePath('/%00')).toBeNull();
});

test.for([
  ['/?v=a+b', 'a+b'],
  ['/?v=%20&v=2', '%20'],
  ['/?w=1&v', ''],
  ['/?V=1&%76=2', null],
  ['/v=1', null],
] as const)('the value of v in %s is %s', ([target, value]) => {
  expect(queryValue(target, pathOnly(target).length, 'v')).toBe(value);
});

test('the query is no part of the path', () => {
  expect(pathOnly('/a?b=/c')).toBe('/a');
});
