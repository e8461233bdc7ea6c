import { connect } from 'node:net';
import { type HboneErrorCode, hboneError } from '@aquifer/hbone';
import { expect, test } from 'vitest';
import { copyOutcome, failureOutcome } from './errors.ts';

function refused(): Promise<Error> {
  return new Promise((resolve) => {
    connect(1, '127.0.0.1').once('error', resolve);
  });
}

test('an error of the system is told in the words of the C library, with its number', async () => {
  expect(failureOutcome(await refused(), 'io error')).toEqual({
    flag: 'CONNECT',
    error: 'io error: Connection refused (os error 111)',
  });
  expect(failureOutcome(await refused(), 'connection failed').error).toBe(
    'connection failed: Connection refused (os error 111)',
  );
  const unreachable = Object.assign(new Error('connect'), { code: 'EHOSTUNREACH' });
  expect(failureOutcome(unreachable, 'io error').error).toBe(
    'io error: No route to host (os error 113)',
  );
});

test('other errors keep their text', () => {
  const denied = hboneError('HB_REFUSED_STATUS', 'http status: 401 Unauthorized');
  expect(failureOutcome(denied, 'io error')).toEqual({ flag: 'CONNECT', error: denied.message });
  expect(failureOutcome(new Error('timed out'), 'connection failed').error).toBe(
    'connection failed: timed out',
  );
});

test('a copy that the peer resets ended normally, one that this proxy cut at its deadline did not', () => {
  const reset = Object.assign(new Error('read'), { code: 'ECONNRESET' });
  expect(copyOutcome(reset, false)).toEqual({ flag: '-', error: null });
  expect(copyOutcome(null, true)).toEqual({
    flag: 'CONNECT',
    error: 'connection closed due to connection drain',
  });
});

test.for<{ code: HboneErrorCode; how: string; isNormal: boolean }>([
  { code: 'HB_STREAM_CANCELLED', how: 'stream was reset: CANCEL', isNormal: true },
  { code: 'HB_STREAM_RESET', how: 'stream was reset: INTERNAL_ERROR', isNormal: false },
  { code: 'HB_TUNNEL_LOST', how: 'connection ended', isNormal: false },
  { code: 'HB_PEER_SILENT', how: 'ping timeout', isNormal: false },
])(
  'a copy that ended with "$how" is recorded as a success: $isNormal',
  ({ code, how, isNormal }) => {
    expect(copyOutcome(hboneError(code, how), false)).toEqual(
      isNormal ? { flag: '-', error: null } : { flag: 'CONNECT', error: `io error: ${how}` },
    );
  },
);
