import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CertificateAuthority, createSelfSignedRoot } from './authority.ts';
import { publicKeyOfCsr } from './csr-rules.ts';

const SPIFFE = 'spiffe://cluster.local/ns/shop/sa/web';
const HOUR_MS = 3_600_000;

function workspace(): string {
  const folder = mkdtempSync(join(tmpdir(), 'aquifer-ca-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

function openssl(folder: string, ...args: string[]): string {
  return execFileSync('openssl', args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function authority(): CertificateAuthority {
  const loaded = CertificateAuthority.load(createSelfSignedRoot('cluster.local'));
  if (!loaded.ok) throw new Error(loaded.error);
  return loaded.value;
}

/** A request as another implementation writes it. */
function opensslCsr(folder: string, ...keyOptions: string[]): string {
  openssl(
    folder,
    'req',
    '-new',
    '-nodes',
    ...keyOptions,
    '-keyout',
    'key.pem',
    '-subj',
    '/O=evil',
    '-addext',
    'subjectAltName=URI:spiffe://cluster.local/ns/kube-system/sa/admin',
    '-out',
    'csr.pem',
  );
  return execFileSync('cat', [join(folder, 'csr.pem')], { encoding: 'utf8' });
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];

test.for([
  { kind: 'ECDSA P-256', options: EC },
  { kind: 'RSA 2048', options: ['-newkey', 'rsa:2048'] },
])('a leaf for an $kind request verifies with openssl and names the caller only', ({ options }) => {
  const folder = workspace();
  const ca = authority();
  const key = publicKeyOfCsr(opensslCsr(folder, ...options));
  if (!key.ok) throw new Error(key.error);
  const chain = ca.signWorkload(key.value, [SPIFFE], 24 * HOUR_MS);
  writeFileSync(join(folder, 'root.pem'), ca.rootBundle);
  writeFileSync(join(folder, 'leaf.pem'), chain[0]!);
  expect(openssl(folder, 'verify', '-x509_strict', '-CAfile', 'root.pem', 'leaf.pem')).toBe(
    'leaf.pem: OK\n',
  );
  const text = openssl(folder, 'x509', '-in', 'leaf.pem', '-noout', '-text');
  expect(text).toMatch(/Subject: *\n/);
  expect(text).toMatch(
    /Subject Alternative Name: critical\s+URI:spiffe:\/\/cluster.local\/ns\/shop\/sa\/web\n/,
  );
  expect(text).toMatch(/Key Usage: critical\s+Digital Signature, Key Encipherment\n/);
  expect(text).toMatch(
    /Extended Key Usage: \s+TLS Web Server Authentication, TLS Web Client Authentication\n/,
  );
  expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
  expect(chain).toHaveLength(1);
});

test('a leaf starts two minutes ago and never outlives its signer', () => {
  const ca = authority();
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const now = new Date('2030-01-01T00:00:00Z');
  const leaf = new X509Certificate(ca.signWorkload(publicKey, [SPIFFE], HOUR_MS, now)[0]!);
  expect(leaf.validFromDate).toEqual(new Date('2029-12-31T23:58:00Z'));
  expect(leaf.validToDate).toEqual(new Date('2030-01-01T01:00:00Z'));
  const late = new Date(ca.notAfter.getTime() - 1000);
  const last = new X509Certificate(ca.signWorkload(publicKey, [SPIFFE], HOUR_MS, late)[0]!);
  expect(last.validToDate).toEqual(ca.notAfter);
});

test('a plugged-in RSA intermediate signs, and its chain comes before the roots', () => {
  const folder = workspace();
  openssl(
    folder,
    'req',
    '-x509',
    '-nodes',
    '-newkey',
    'rsa:2048',
    '-keyout',
    'root.key',
    '-out',
    'root.pem',
    '-days',
    '30',
    '-subj',
    '/O=Root',
  );
  openssl(
    folder,
    'req',
    '-new',
    '-nodes',
    '-newkey',
    'rsa:2048',
    '-keyout',
    'ca.key',
    '-out',
    'ca.csr',
    '-subj',
    '/O=Istio/CN=Intermediate',
  );
  writeFileSync(
    join(folder, 'ext'),
    'basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n',
  );
  openssl(
    folder,
    'x509',
    '-req',
    '-in',
    'ca.csr',
    '-CA',
    'root.pem',
    '-CAkey',
    'root.key',
    '-CAcreateserial',
    '-days',
    '20',
    '-extfile',
    'ext',
    '-out',
    'ca.pem',
  );
  const file = (name: string): string =>
    execFileSync('cat', [join(folder, name)], { encoding: 'utf8' });
  const loaded = CertificateAuthority.load({
    'ca-cert.pem': file('ca.pem'),
    'ca-key.pem': file('ca.key'),
    'root-cert.pem': file('root.pem'),
    'cert-chain.pem': file('ca.pem') + file('root.pem'),
  });
  if (!loaded.ok) throw new Error(loaded.error);
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const chain = loaded.value.signWorkload(publicKey, [SPIFFE], HOUR_MS);
  expect(chain).toEqual([chain[0], file('ca.pem')]);
  writeFileSync(join(folder, 'leaf.pem'), chain[0]!);
  expect(openssl(folder, 'verify', '-CAfile', 'root.pem', '-untrusted', 'ca.pem', 'leaf.pem')).toBe(
    'leaf.pem: OK\n',
  );
});

test('a key that does not belong to the certificate is refused', () => {
  const one = createSelfSignedRoot('cluster.local');
  const other = createSelfSignedRoot('cluster.local');
  expect(CertificateAuthority.load({ ...one, 'ca-key.pem': other['ca-key.pem'] })).toEqual({
    ok: false,
    error: 'ca-key.pem does not belong to ca-cert.pem',
  });
});

test('the server certificate names the control plane', () => {
  const { chain, key } = authority().issueServer(
    ['istiod.istio-system.svc', 'istiod'],
    3_600_000,
    new Date(),
  );
  const certificate = new X509Certificate(chain);
  expect(certificate.subjectAltName).toBe('DNS:istiod.istio-system.svc, DNS:istiod');
  expect(createPublicKey(key).export({ type: 'spki', format: 'der' })).toEqual(
    certificate.publicKey.export({ type: 'spki', format: 'der' }),
  );
});

test.for([
  { what: 'no PEM', damage: () => 'hello' },
  { what: 'a changed byte', damage: (pem: string) => flipByte(pem) },
  { what: 'a truncated body', damage: (pem: string) => pem.replace(/\n.{40}/, '\n') },
])('a CSR with $what is refused', ({ damage }) => {
  expect(publicKeyOfCsr(damage(opensslCsr(workspace(), ...EC))).ok).toBe(false);
});

test('an RSA key of 1024 bits is refused', () => {
  const refused = publicKeyOfCsr(opensslCsr(workspace(), '-newkey', 'rsa:1024'));
  expect(refused).toEqual({
    ok: false,
    error: 'the RSA key of the CSR has 1024 bits, at least 2048 are needed',
  });
});

/** Changes the subject, which only the signature protects. */
function flipByte(pem: string): string {
  const der = Buffer.from(pem.replace(/-----.*-----/g, ''), 'base64');
  der[der.indexOf('evil')] = 'E'.charCodeAt(0);
  return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
}

test('a key on a curve that TLS 1.3 does not sign with is refused', () => {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'];
  expect(publicKeyOfCsr(opensslCsr(workspace(), ...key))).toEqual({
    ok: false,
    error: "the curve secp256k1 of the CSR's key is none of prime256v1, secp384r1, secp521r1",
  });
});
