import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CertificateAuthority, createSelfSignedRoot } from './authority.ts';
import { certificatesIn } from './pem.ts';
import { atTime, type Rotation, replaced, trustedBundle } from './rotation.ts';
import { previousRoots, textOfRoots } from './trusted-roots.ts';

const HOUR_MS = 3_600_000;
const NOW = Date.now();
const TIMES = { renewedByMs: NOW + 12 * HOUR_MS, maxTtlMs: 48 * HOUR_MS };

function load(pem: Parameters<typeof CertificateAuthority.load>[0]): CertificateAuthority {
  const loaded = CertificateAuthority.load(pem);
  if (!loaded.ok) throw new Error(loaded.error);
  return loaded.value;
}

const OLD = load(createSelfSignedRoot('cluster.local'));
const NEW = load(createSelfSignedRoot('cluster.local'));
const STEADY: Rotation = { kind: 'steady', signer: OLD, previous: [] };

/** Whether openssl takes what the rotation signs, for somebody who trusts this bundle. */
function verifies({ signer }: Rotation, bundle: string): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'aquifer-rotation-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const uris = ['spiffe://cluster.local/ns/a/sa/b'];
  const [leaf = '', ...rest] = signer.signWorkload(publicKey, uris, HOUR_MS);
  writeFileSync(join(folder, 'leaf.pem'), leaf);
  writeFileSync(join(folder, 'rest.pem'), rest.join(''));
  writeFileSync(join(folder, 'roots.pem'), bundle);
  const between = rest.length === 0 ? [] : ['-untrusted', 'rest.pem'];
  try {
    const args = ['verify', '-x509_strict', '-CAfile', 'roots.pem', ...between, 'leaf.pem'];
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}

test('a new root is trusted at once, and signs when every proxy has heard of it', () => {
  const introducing = replaced(STEADY, NEW, NOW, TIMES);
  expect(certificatesIn(trustedBundle(introducing))).toHaveLength(2);
  expect(verifies(introducing, OLD.rootBundle)).toBe(true);
  expect(atTime(introducing, TIMES.renewedByMs - 1).signer).toBe(OLD);
  const after = atTime(introducing, TIMES.renewedByMs);
  expect(after).toMatchObject({ kind: 'steady', signer: NEW });
  expect(verifies(after, trustedBundle(introducing))).toBe(true);
  expect(verifies(after, OLD.rootBundle)).toBe(false);
});

test('an old root is trusted until the last certificate that it signed is gone', () => {
  const after = atTime(replaced(STEADY, NEW, NOW, TIMES), TIMES.renewedByMs);
  const goneMs = TIMES.renewedByMs + TIMES.maxTtlMs;
  const signed = STEADY;
  expect(verifies(signed, trustedBundle(atTime(after, goneMs - 1)))).toBe(true);
  expect(trustedBundle(atTime(after, goneMs))).toBe(NEW.rootBundle);
});

test('an authority below a root that everybody trusts signs at once', () => {
  const both = OLD.rootBundle + NEW.rootBundle;
  const announced = load({ ...OLD.pem, 'root-cert.pem': both });
  const first = replaced(STEADY, announced, NOW, TIMES);
  expect(first).toMatchObject({ kind: 'steady', signer: announced, previous: [] });
  const second = load({ ...NEW.pem, 'root-cert.pem': both, 'cert-chain.pem': NEW.rootBundle });
  expect(replaced(first, second, NOW, TIMES)).toMatchObject({ kind: 'steady', signer: second });
});

test('a renewed root signs at once, and what the old one signed verifies with it', () => {
  const renewed = load({ ...OLD.pem, 'ca-cert.pem': OLD.renewedRoot(new Date())! });
  const after = replaced(STEADY, renewed, NOW, TIMES);
  expect(after).toMatchObject({ kind: 'steady', signer: renewed });
  expect(certificatesIn(trustedBundle(after))).toHaveLength(2);
  expect(verifies(STEADY, renewed.rootBundle)).toBe(true);
  expect(verifies(after, OLD.rootBundle)).toBe(true);
});

test('a change that is taken back leaves the signer, and trusts both roots for a while', () => {
  const back = replaced(replaced(STEADY, NEW, NOW, TIMES), OLD, NOW + HOUR_MS, TIMES);
  expect(back).toMatchObject({ kind: 'steady', signer: OLD });
  expect(certificatesIn(trustedBundle(back))).toHaveLength(2);
});

/** What a process that begins with the new root finds of the one before it. */
function found(rotation: Rotation, untilMs: number) {
  const previous = previousRoots(textOfRoots(rotation), NEW.rootBundle, untilMs);
  if (!previous.ok) throw new Error(previous.error);
  return previous.value;
}

test('a process that begins with another root trusts the one before, as long as it may be needed', () => {
  const previous = found(STEADY, NOW + TIMES.maxTtlMs);
  const begun: Rotation = { kind: 'steady', signer: NEW, previous };
  expect(verifies(STEADY, trustedBundle(begun))).toBe(true);
  expect(found(begun, NOW + 2 * TIMES.maxTtlMs)).toEqual(previous);
  expect(trustedBundle(atTime(begun, NOW + TIMES.maxTtlMs))).toBe(NEW.rootBundle);
});

test.for(['{', '{}', '[{"certificate":"x","trustedUntil":null}]', 'null'])(
  'roots that cannot be read (%s) are none, and that is said',
  (text) => {
    expect(previousRoots(text, NEW.rootBundle, NOW)).toMatchObject({
      ok: false,
      error: expect.stringContaining('Secret istio-ca-trusted-roots: roots.json cannot be read'),
    });
  },
);
