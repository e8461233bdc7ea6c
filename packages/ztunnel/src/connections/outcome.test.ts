import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { type HboneErrorCode, hboneError } from '@aquifer/hbone';
import { expect, test } from 'vitest';
import { ERRORS, toMeshError, ztunnelError } from '../errors.ts';
import { copyOutcome, failureOutcome } from './outcome.ts';

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

test('whatever is thrown has a code that says whether another hop, or the same, may be tried', async () => {
  const rules = (caught: unknown) => {
    const { code, retry, origin } = toMeshError(caught);
    return { code, retry, origin, sameHop: ERRORS[code].sameHop };
  };
  const again = { retry: 'safe', origin: 'upstream', sameHop: true };
  const unreachable = Object.assign(new Error('connect'), { code: 'EHOSTUNREACH' });
  expect(rules(await refused())).toEqual({ code: 'ZT_REFUSED', ...again });
  expect(rules(unreachable)).toEqual({ code: 'ZT_UNREACHABLE', ...again, sameHop: false });
  expect(rules(hboneError('HB_REFUSED_STATUS', 'no'))).toMatchObject({ retry: 'never' });
  expect(rules(hboneError('HB_NO_ANSWER', '?'))).toMatchObject({
    retry: 'safe',
    sameHop: false,
  });
  expect(rules('text')).toEqual({ code: 'ZT_IO', ...again });
  const known = ztunnelError('ZT_NO_CERTIFICATE', 'identity error: none');
  expect(toMeshError(known)).toBe(known);
  expect(failureOutcome(known, 'io error')).toEqual({
    flag: 'IDENTITY_ERROR',
    error: 'identity error: none',
  });
});

test('every code of this package and of tunnels has a heading in docs/errors.md', () => {
  const docs = readFileSync(new URL('../../../../docs/errors.md', import.meta.url), 'utf8');
  for (const code of Object.keys(ERRORS)) expect(docs).toContain(`### ${code}\n`);
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
