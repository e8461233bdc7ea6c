import { expect, test } from 'vitest';
import { isRegex, regexProblem } from './regex.ts';

test('a pattern that proxies refuse for its repetitions is none, so that it does not keep a whole listener from them', () => {
  const pattern = '(a{1000})'.repeat(100);
  expect(isRegex(pattern)).toBe(false);
  expect(regexProblem(pattern)).toMatch(/is too large with its repetitions$/);
  expect(isRegex('^/v[0-9]{1,3}/(items|carts)/.*')).toBe(true);
});
