/**
 * A signer of the Kubernetes API (certificates.k8s.io/v1) instead of the mesh's own authority (spec control-plane 4.4): the
 * control plane says who may have which certificate, and the signer makes it.
 */
import { type KeyObject, randomUUID, X509Certificate } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@aquifer/runtime';
import { Refusal } from '../errors.ts';
import type { KubernetesApi } from '../ingest/kubernetes-api.ts';
import type { CertificateIssuer, IssueRequest } from './certificate-service.ts';
import { namesOfCsr } from './csr-names.ts';
import { certificatesIn } from './pem.ts';

export interface KubernetesSignerDeps {
  readonly api: Pick<KubernetesApi, 'get' | 'create' | 'mergePatch' | 'delete'>;
  /** `spec.signerName` of the requests. */
  readonly signerName: string;
  /** PEM of all trusted roots. */
  readonly rootBundle: () => string;
  readonly log: Logger;
}

interface CertificateSigningRequest {
  readonly status?: { readonly certificate?: string };
}

const PATH = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
/** Of TLS servers and clients. */
const USAGES = ['digital signature', 'key encipherment', 'server auth', 'client auth'];
/** What the API takes at least (CertificateSigningRequestSpec.expirationSeconds). */
const MIN_TTL_SECONDS = 600;
const POLL_MS = 100;
const TIMEOUT_MS = 10_000;

export class KubernetesSigner implements CertificateIssuer {
  readonly #deps: KubernetesSignerDeps;

  constructor(deps: KubernetesSignerDeps) {
    this.#deps = deps;
  }

  /**
   * The signer copies what the request says, so that it may say the identity and nothing else. Throws a Refusal for other
   * names, and if the signer does not answer in ten seconds, or with another certificate than was asked for.
   */
  async issue({ csr, key, uri, ttlMs }: IssueRequest): Promise<string[]> {
    const names = namesOfCsr(csr);
    if (!names.ok) throw new Refusal('CP_BAD_CSR', `CSR sign error: ${names.error}`);
    if (names.value.length !== 1 || names.value[0] !== uri) {
      const text = `the CSR names ${names.value.join(', ') || 'nobody'}, not ${uri} alone`;
      throw new Refusal('CP_BAD_CSR', `CSR sign error: ${text}`);
    }
    const name = `csr-workload-${randomUUID()}`;
    const { api, log } = this.#deps;
    await this.#ask(name, csr, ttlMs);
    try {
      const chain = certificatesIn(await this.#signed(name));
      if (!isFor(chain[0], key, uri))
        throw new Error('it is not the certificate that was asked for');
      return [...chain, this.#deps.rootBundle()];
    } catch (error) {
      log.error('signer of the Kubernetes API', { error: (error as Error).message, request: name });
      throw error;
    } finally {
      await api.delete(`${PATH}/${name}`).catch((error: unknown) => {
        log.warn('request not deleted', { request: name, error: (error as Error).message });
      });
    }
  }

  async #ask(name: string, csr: string, ttlMs: number): Promise<void> {
    const { api, signerName } = this.#deps;
    await api.create(PATH, {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name },
      spec: {
        request: Buffer.from(csr).toString('base64'),
        signerName,
        usages: USAGES,
        expirationSeconds: Math.max(MIN_TTL_SECONDS, Math.floor(ttlMs / 1000)),
      },
    });
    const condition = {
      type: 'Approved',
      status: 'True',
      reason: 'WorkloadIdentity',
      message: 'the control plane of the mesh has verified who asks',
    };
    await api.mergePatch(`${PATH}/${name}/approval`, { status: { conditions: [condition] } });
  }

  async #signed(name: string): Promise<string> {
    const deadlineMs = performance.now() + TIMEOUT_MS;
    while (performance.now() < deadlineMs) {
      const found = await this.#deps.api.get<CertificateSigningRequest>(`${PATH}/${name}`);
      const { certificate = '' } = found?.status ?? {};
      if (certificate !== '') return Buffer.from(certificate, 'base64').toString();
      await delay(POLL_MS);
    }
    throw new Error(`signer ${this.#deps.signerName} has not answered in ${TIMEOUT_MS} ms`);
  }
}

function isFor(leaf: string | undefined, key: KeyObject, uri: string): boolean {
  if (leaf === undefined) return false;
  const { publicKey, subjectAltName } = new X509Certificate(leaf);
  return publicKey.equals(key) && subjectAltName === `URI:${uri}`;
}
