import { expect, test } from 'vitest';
import { normalizePath, pathOnly } from './path.ts';

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
] as const)('%s becomes %s', ([target, normalized]) => {
  expect(normalizePath(target)).toBe(normalized);
});

test.for(['/%00', '/%zz', '/%1'])('%s has no normal form', (target) => {
  expect(normalizePath(target)).toBeNull();
});

test('the query is no part of the path', () => {
  expect(pathOnly('/a?b=/c')).toBe('/a');
});
