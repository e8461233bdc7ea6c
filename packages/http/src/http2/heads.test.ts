import { expect, test } from 'vitest';
import { requestHead } from './heads.ts';

test('blanks around a value are no part of it, as in HTTP/1.1', () => {
  const list = [':method', 'GET', ':path', '/', 'x-tenant', ' evil\t', 'x-empty', ' ', 'x', 'a b'];
  expect(requestHead(list).headers).toEqual(['x-tenant', 'evil', 'x-empty', '', 'x', 'a b']);
});
