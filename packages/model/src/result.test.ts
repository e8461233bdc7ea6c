import { expect, test } from 'vitest';
import { err, ok } from './result.ts';

test('a result carries either a value or an error', () => {
  expect(ok(1)).toEqual({ ok: true, value: 1 });
  expect(err('bad')).toEqual({ ok: false, error: 'bad' });
});
