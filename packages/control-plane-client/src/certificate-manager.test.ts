import { setTimeout as delay } from 'node:timers/promises';
import { createLogger } from '@aquifer/runtime';
import { expect, onTestFinished, test } from 'vitest';
import { CertificateManager, type CertificateState } from './certificate-manager.ts';
import type { IssuedCertificate } from './issued-certificate.ts';
import { refreshAtMs } from './rotation.ts';

const ID = 'spiffe://cluster.local/ns/shop/sa/web';
const silent = createLogger('ca', { format: 'plain', write: () => undefined });

function issued(lifetimeMs: number): IssuedCertificate {
  const nowMs = Date.now();
  return { key: 'k', chain: 'c', roots: 'r', notBeforeMs: nowMs, notAfterMs: nowMs + lifetimeMs };
}

function keep(sign: () => Promise<IssuedCertificate>): {
  kinds: string[];
  manager: CertificateManager;
} {
  const kinds: string[] = [];
  const onChange = (_id: string, state: CertificateState) => kinds.push(state.kind);
  const manager = new CertificateManager({ sign, log: silent, onChange });
  onTestFinished(() => {
    manager.stop();
  });
  return { kinds, manager };
}

test('a certificate is renewed at half of its life', async () => {
  const { kinds, manager } = keep(() => Promise.resolve(issued(200)));
  manager.want(ID);
  manager.want(ID);
  await expect.poll(() => kinds.length, { timeout: 2000 }).toBeGreaterThanOrEqual(4);
  expect(kinds.slice(0, 3)).toEqual(['initializing', 'available', 'available']);
});

test('a refused request is tried again while the identity is wanted (C160)', async () => {
  let attempts = 0;
  const { kinds, manager } = keep(() => {
    attempts += 1;
    return attempts === 1 ? Promise.reject(new Error('denied')) : Promise.resolve(issued(60_000));
  });
  manager.want(ID);
  await expect
    .poll(() => kinds, { timeout: 3000 })
    .toEqual(['initializing', 'unavailable', 'available']);
});

test('a valid certificate stays in use while its renewal fails (C161)', async () => {
  let attempts = 0;
  const { kinds, manager } = keep(() => {
    attempts += 1;
    return attempts === 1 ? Promise.resolve(issued(2_000)) : Promise.reject(new Error('away'));
  });
  manager.want(ID);
  await expect.poll(() => attempts, { timeout: 3000 }).toBe(2);
  expect(kinds).toEqual(['initializing', 'available']);
});

test('certificates that are over when they arrive are not asked for without a pause', async () => {
  let attempts = 0;
  const { manager } = keep(() => {
    attempts += 1;
    return Promise.resolve(issued(-1000));
  });
  manager.want(ID);
  await delay(300);
  expect(attempts).toBe(1);
});

test('a certificate whose times make no sense is renewed at once', () => {
  expect(refreshAtMs({ notBeforeMs: 1000, notAfterMs: 500 })).toBe(500);
  expect(refreshAtMs({ notBeforeMs: 1000, notAfterMs: 2000 })).toBe(1500);
});

test('only identities that are wanted are kept: others are forgotten, also while they are being signed (C159)', async () => {
  const asked: string[] = [];
  const forgotten: string[] = [];
  const waiting = Promise.withResolvers<IssuedCertificate>();
  const manager = new CertificateManager({
    sign: (identity) => {
      asked.push(identity);
      return identity === 'slow' ? waiting.promise : Promise.resolve(issued(100));
    },
    log: silent,
    onChange: () => undefined,
    onForgotten: (identity) => forgotten.push(identity),
  });
  onTestFinished(() => manager.stop());
  manager.keepOnly(new Set(['slow', 'left', 'stays']));
  await expect.poll(() => manager.states().get('left')?.kind).toBe('available');
  manager.keepOnly(new Set(['stays', 'new']));
  waiting.resolve(issued(100));
  await expect
    .poll(() => asked.filter((identity) => identity === 'stays').length)
    .toBeGreaterThan(2);
  expect(forgotten).toEqual(['slow', 'left']);
  expect([...manager.states().keys()].toSorted()).toEqual(['new', 'stays']);
  expect(asked.filter((identity) => identity === 'left')).toHaveLength(1);
});
