import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../../../../test/fuzz/runs.ts';
import type { PathRules } from '../compile/path-rules.ts';
import { normalizeTarget, pathOnly, queryValue } from './path.ts';

const BASE: PathRules = { normalizes: true, mergesSlashes: false, escapedSlashes: 'keep' };
const MERGE: PathRules = { ...BASE, mergesSlashes: true };
const DECODE: PathRules = { ...MERGE, escapedSlashes: 'unescape' };
const NONE: PathRules = { ...BASE, normalizes: false };
const REJECT: PathRules = { ...BASE, escapedSlashes: 'reject' };
const REDIRECT: PathRules = { ...DECODE, escapedSlashes: 'redirect' };

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
  expect(normalizeTarget(target, BASE)).toBe(normalized);
});

test('a path with a NUL has no normal form', () => {
  expect(normalizeTarget('/%00', BASE)).toBeNull();
});

test.for([
  ['/x/..;/admin', BASE, '/admin'],
  ['/x/..;a=b/admin', BASE, '/admin'],
  ['/.;/admin', BASE, '/admin'],
  ['/x/..;', BASE, '/'],
  ['/x/%2e%2e;/admin', BASE, null],
  ['/%%32e/admin', BASE, '/%252e/admin'],
  ['/a;b/...;/c', BASE, '/a;b/...;/c'],
  ['//admin', MERGE, '/admin'],
  ['/a//b///?c//d', MERGE, '/a/b/?c//d'],
  ['/%2Fapp%5cadmin%5Cabc', DECODE, '/app/admin/abc'],
  ['/%c0%2e%c0%2e/admin', DECODE, '/%c0.%c0./admin'],
  ['/%252e', DECODE, '/%252e'],
  ['/a%2Fb', REJECT, null],
  ['/a?b=%2F', REJECT, '/a?b=%2F'],
  ['/a%2F..%2Fb?c', REDIRECT, { redirectTo: '/b?c' }],
  ['/a/../b', REDIRECT, '/b'],
  ['/a/../%2fb\\', NONE, '/a/../%2fb\\'],
  ['/a#b', NONE, '/a'],
] as const)('%s by %o becomes %s', ([target, rules, normalized]) => {
  expect(normalizeTarget(target, rules)).toEqual(normalized);
});

test('a second proxy with the same rules would change nothing', () => {
  const pieces = [
    '/',
    '.',
    '..',
    ';',
    '%',
    '%2e',
    '%2F',
    '%5c',
    '\\',
    '2',
    'e',
    'f',
    '5',
    '#',
    '?',
    '|',
    'a',
  ];
  const targets = fc.array(fc.constantFrom(...pieces), { maxLength: 12 });
  fc.assert(
    fc.property(targets, fc.constantFrom(BASE, MERGE, DECODE, NONE, REJECT), (parts, rules) => {
      const once = normalizeTarget(`/${parts.join('')}`, rules);
      if (typeof once !== 'string') return;
      expect(normalizeTarget(once, rules)).toBe(once);
    }),
    runs(20_000, 3),
  );
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
