import { expect, test } from 'vitest';
import { RequestBody } from './request-body.ts';

const CHUNKED = { kind: 'chunked' } as const;

test('what is kept for another attempt does not change when the read buffer is used again', () => {
  const body = new RequestBody(CHUNKED, true);
  const read = Buffer.from('first');
  body.keep(read);
  read.fill('x');
  expect(body.chunks.map(String)).toEqual(['first']);
});

test('a body beyond a mebibyte, or one that will not be retried, is not kept', () => {
  const large = new RequestBody(CHUNKED, true);
  const half = Buffer.alloc(512 * 1024);
  large.keep(half);
  large.keep(half);
  expect(large.canReplay).toBe(true);
  large.keep(Buffer.from('!'));
  expect(large.canReplay).toBe(false);
  expect(large.chunks).toEqual([]);
  const once = new RequestBody(CHUNKED, false);
  once.keep(half);
  expect(once.chunks).toEqual([]);
});
