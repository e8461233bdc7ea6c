import { expect, test } from 'vitest';
import { processorMs } from '../../../../test/fixtures/processor-time.ts';
import { endToEnd, prepareRequestHeaders } from './headers.ts';

const SPACES = ' '.repeat(60_000);

test('a `connection` that is all blanks takes no longer than another one', () => {
  const headers = ['connection', `x-one${SPACES}x-two`, 'x-one', 'kept'];
  const tookMs = processorMs(() => {
    prepareRequestHeaders(headers);
    expect(endToEnd(headers)).toContain('x-one');
  });
  expect(tookMs).toBeLessThan(500);
});

test('what `connection` names goes no further, whatever blanks are around it', () => {
  const headers = ['connection', 'X-One \t,\t x-two', 'x-one', '1', 'x-two', '2', 'x-three', '3'];
  expect(endToEnd(headers)).toEqual(['x-three', '3']);
});
