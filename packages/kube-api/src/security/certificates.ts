/** The cluster's certificates: a CA of its own, the server's certificate, an administrator's client certificate. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import forge from 'node-forge';

/** PEM. */
export interface KeyPair {
  readonly certificatePem: string;
  readonly keyPem: string;
}

interface Subject {
  readonly commonName: string;
  readonly organization?: string;
}

const CA_YEARS = 10;
const LEAF_YEARS = 1;

function newKey(): string {
  return generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  }).privateKey;
}

function names({ commonName, organization }: Subject): forge.pki.CertificateField[] {
  const organizations =
    organization === undefined ? [] : [{ name: 'organizationName', value: organization }];
  return [...organizations, { name: 'commonName', value: commonName }];
}

function unsigned(subject: Subject, keyPem: string, years: number): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  const key = forge.pki.privateKeyFromPem(keyPem);
  certificate.publicKey = forge.pki.setRsaPublicKey(key.n, key.e);
  // A first byte of 1 keeps the serial positive and its encoding minimal: Go refuses a superfluous zero.
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`;
  const now = Date.now();
  certificate.validity.notBefore = new Date(now - 60_000);
  certificate.validity.notAfter = new Date(now + years * 365 * 24 * 3_600_000);
  certificate.setSubject(names(subject));
  return certificate;
}

function sign(
  certificate: forge.pki.Certificate,
  issuer: forge.pki.Certificate,
  keyPem: string,
): string {
  certificate.setIssuer(issuer.subject.attributes);
  certificate.sign(forge.pki.privateKeyFromPem(keyPem), forge.md.sha256.create());
  return forge.pki.certificateToPem(certificate);
}

function newAuthority(): KeyPair {
  const keyPem = newKey();
  const certificate = unsigned({ commonName: 'kubernetes' }, keyPem, CA_YEARS);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, digitalSignature: true, critical: true },
    { name: 'subjectKeyIdentifier' },
  ]);
  return { keyPem, certificatePem: sign(certificate, certificate, keyPem) };
}

/** Signs certificates for this cluster; its key lives in `directory` and is made on first use. */
export class Authority {
  readonly #pair: KeyPair;

  constructor(directory: string) {
    const certificatePath = join(directory, 'ca.crt');
    const keyPath = join(directory, 'ca.key');
    if (!existsSync(keyPath)) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const made = newAuthority();
      writeFileSync(keyPath, made.keyPem, { mode: 0o600 });
      writeFileSync(certificatePath, made.certificatePem);
    }
    this.#pair = {
      certificatePem: readFileSync(certificatePath, 'utf8'),
      keyPem: readFileSync(keyPath, 'utf8'),
    };
  }

  get certificatePem(): string {
    return this.#pair.certificatePem;
  }

  #issue(
    subject: Subject,
    usage: 'serverAuth' | 'clientAuth',
    altNames: readonly string[],
  ): KeyPair {
    const keyPem = newKey();
    const certificate = unsigned(subject, keyPem, LEAF_YEARS);
    const alternatives = altNames.map((name) =>
      isIP(name) === 0 ? { type: 2, value: name } : { type: 7, ip: name },
    );
    certificate.setExtensions([
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
      { name: 'extKeyUsage', [usage]: true },
      ...(alternatives.length === 0 ? [] : [{ name: 'subjectAltName', altNames: alternatives }]),
    ]);
    const issuer = forge.pki.certificateFromPem(this.#pair.certificatePem);
    return { keyPem, certificatePem: sign(certificate, issuer, this.#pair.keyPem) };
  }

  /** @param altNames DNS names and IP addresses the certificate covers. */
  serverCertificate(altNames: readonly string[]): KeyPair {
    return this.#issue({ commonName: 'kube-apiserver' }, 'serverAuth', altNames);
  }

  /** Kubernetes reads the user from the common name and the group from the organization. */
  clientCertificate(user: string, group: string): KeyPair {
    return this.#issue({ commonName: user, organization: group }, 'clientAuth', []);
  }
}
