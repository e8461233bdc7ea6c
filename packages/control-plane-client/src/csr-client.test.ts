import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IstioCertificateRequest } from '@aquifer/wire/gen/istio/ca_pb';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startCertificateService } from '../../../test/fixtures/certificate-service.ts';
import { TestAuthority } from '../../../test/fixtures/certificates.ts';
import { createSigningRequest } from './csr.ts';
import { CsrClient } from './csr-client.ts';

const IDENTITY = 'spiffe://cluster.local/ns/shop/sa/web';

let authority: TestAuthority;
beforeAll(() => {
  authority = new TestAuthority();
});
afterAll(() => {
  authority[Symbol.dispose]();
});

/** A client of an authority that answers so. */
async function clientOf(
  answer: (request: IstioCertificateRequest) => readonly string[],
): Promise<CsrClient> {
  const service = await startCertificateService('127.0.0.1:0', answer);
  const client = new CsrClient({
    endpoint: {
      address: `127.0.0.1:${service.port}`,
      rootCertPath: null,
      serverName: null,
      tokenPath: null,
      clusterId: 'Kubernetes',
      headers: {},
    },
    ttlSeconds: 3600,
    impersonate: true,
  });
  onTestFinished(() => {
    client.close();
    service.close();
  });
  return client;
}

/** A root, two authorities below it, the last of which signs. */
class Hierarchy implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'hierarchy-'));

  constructor() {
    this.#make('root', null);
    this.#make('middle', 'root');
    this.#make('issuer', 'middle');
  }

  pem(name: string): string {
    return readFileSync(join(this.#folder, `${name}.pem`), 'utf8');
  }

  sign(csr: string): string {
    writeFileSync(join(this.#folder, 'leaf.csr'), csr);
    const args = ['-req', '-in', 'leaf.csr', '-CA', 'issuer.pem', '-CAkey', 'issuer.key'];
    this.#openssl(['x509', ...args, '-days', '1', '-copy_extensions', 'copy', '-out', 'leaf.pem']);
    return this.pem('leaf');
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }

  #make(name: string, issuer: string | null): void {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`];
    const by = issuer === null ? [] : ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`];
    this.#openssl(['req', '-x509', ...key, '-subj', `/O=${name}`, '-days', '1', ...files, ...by]);
  }

  #openssl(args: readonly string[]): void {
    execFileSync('openssl', args, { cwd: this.#folder, stdio: ['ignore', 'ignore', 'pipe'] });
  }
}

test('an authority that says nothing, or signs something else, has not answered (C151)', async () => {
  const empty = await clientOf(() => []);
  await expect(empty.sign(IDENTITY)).rejects.toThrow(
    `chain returned from CA is empty for: ${IDENTITY}`,
  );
  const rootless = await clientOf(({ csr }) => [authority.sign(csr)]);
  await expect(rootless.sign(IDENTITY)).rejects.toThrow('no root certificate present');
  const { csr: foreign } = await createSigningRequest('spiffe://cluster.local/ns/shop/sa/other');
  const other = await clientOf(() => [authority.sign(foreign), authority.rootPem]);
  await expect(other.sign(IDENTITY)).rejects.toThrow(`did not find expected SAN: ${IDENTITY}`);
});

test('an authority that signs what it was asked to has its certificate used (C151)', async () => {
  const seen: unknown[] = [];
  const client = await clientOf(({ csr, validityDuration, metadata }) => {
    seen.push({ validityDuration, metadata });
    return [authority.sign(csr), authority.rootPem];
  });
  const { roots, notAfterMs } = await client.sign(IDENTITY);
  expect(roots).toBe(authority.rootPem);
  expect(notAfterMs).toBeGreaterThan(Date.now());
  expect(seen).toEqual([{ validityDuration: 3600n, metadata: { ImpersonatedIdentity: IDENTITY } }]);
});

test('intermediates stay with the leaf, and what comes last is trusted (C152)', async () => {
  using hierarchy = new Hierarchy();
  const client = await clientOf(({ csr }) => [
    hierarchy.sign(csr),
    ...['issuer', 'middle', 'root'].map((name) => hierarchy.pem(name)),
  ]);
  const { chain, roots } = await client.sign(IDENTITY);
  expect(chain).toContain(`${hierarchy.pem('issuer')}\n${hierarchy.pem('middle')}`);
  expect(chain.match(/BEGIN CERTIFICATE/g)).toHaveLength(3);
  expect(roots).toBe(hierarchy.pem('root'));
});
