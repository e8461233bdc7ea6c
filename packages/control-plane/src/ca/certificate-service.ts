/** IstioCertificateService.CreateCertificate (spec control-plane 4.1 to 4.3). */
import type { KeyObject } from 'node:crypto';
import { formatIdentity } from '@aquifer/model';
import type { Logger } from '@aquifer/runtime';
import type { IstioCertificateRequest } from '@aquifer/wire/gen/istio/ca_pb';
import { Refusal } from '../errors.ts';
import type { Caller } from '../push/authenticate.ts';
import { publicKeyOfCsr } from './csr-rules.ts';
import { authorizeImpersonation, type Pods, podOfCaller } from './node-authorization.ts';

interface CertificatePolicy {
  readonly trustedNodeAccounts: readonly string[];
  /** Lifetime of a certificate whose request names none. Milliseconds; default 24 h. */
  readonly defaultTtlMs: number;
  /** Requests above it are refused. Milliseconds; default 90 d. */
  readonly maxTtlMs: number;
}

/** A certificate that may be given. */
export interface IssueRequest {
  /** As it was sent: PEM, with a self-signature that holds. */
  readonly csr: string;
  /** Of the CSR. */
  readonly key: KeyObject;
  /** SPIFFE identity that the certificate is to say. */
  readonly uri: string;
  readonly ttlMs: number;
}

/** Who makes certificates. */
export interface CertificateIssuer {
  /** PEM: the leaf, then each intermediate, then all roots as one element. */
  issue(request: IssueRequest): Promise<string[]>;
}

export interface CertificateDeps {
  readonly issuer: CertificateIssuer;
  readonly policy: CertificatePolicy;
  readonly log: Logger;
}

/** The chain in PEM, leaf first; throws a Refusal. */
export async function createCertificate(
  request: IstioCertificateRequest,
  caller: Caller,
  pods: Pods,
  deps: CertificateDeps,
): Promise<string[]> {
  const { issuer, policy, log } = deps;
  const uri = identityFor(request, caller, pods, deps);
  const key = publicKeyOfCsr(request.csr);
  if (!key.ok) throw new Refusal('CP_BAD_CSR', `CSR sign error: ${key.error}`);
  const requestedMs = Number(request.validityDuration) * 1000;
  if (requestedMs < 0 || requestedMs > policy.maxTtlMs) {
    const limit = `${policy.maxTtlMs / 1000}s`;
    throw new Refusal(
      'CP_BAD_CSR',
      `requested TTL ${requestedMs / 1000}s is greater than the max allowed TTL ${limit}`,
    );
  }
  const ttlMs = requestedMs || policy.defaultTtlMs;
  const chain = await issuer.issue({ csr: request.csr, key: key.value, uri, ttlMs });
  log.info('certificate issued', { identity: uri, caller: formatIdentity(caller.identity) });
  return chain;
}

/** What the certificate will say: the caller, or the workload that a node proxy asks for. */
function identityFor(
  request: IstioCertificateRequest,
  caller: Caller,
  pods: Pods,
  { policy, log }: CertificateDeps,
): string {
  const wanted = request.metadata?.ImpersonatedIdentity;
  if (typeof wanted === 'string' && wanted !== '') {
    const allowed = authorizeImpersonation(caller, wanted, pods, policy.trustedNodeAccounts);
    if (allowed.ok) return wanted;
    log.warn('impersonation refused', { identity: wanted, error: allowed.error });
    throw new Refusal('CP_IMPERSONATION', 'request impersonation authentication failure');
  }
  if (caller.pod !== null) {
    const pod = podOfCaller(caller, pods.cluster);
    if (!pod.ok)
      throw new Refusal('CP_UNAUTHENTICATED', `request authenticate failure: ${pod.error}`);
  }
  return formatIdentity(caller.identity);
}
