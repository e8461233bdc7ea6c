/** Where the authority's key lives: a plugged-in Secret, or one of our own making (spec control-plane 4.4). */
import { err, ok, type Result } from '@aquifer/model';
import type { Secret } from '@aquifer/model/resources';
import type { KubernetesApi } from '../ingest/kubernetes-api.ts';
import { KubernetesApiError } from '../ingest/kubernetes-api.ts';
import { type AuthorityPem, CertificateAuthority, createSelfSignedRoot } from './authority.ts';

const PLUGGED_IN = 'cacerts';
const SELF_SIGNED = 'istio-ca-secret';
const KEYS = ['ca-cert.pem', 'ca-key.pem', 'root-cert.pem', 'cert-chain.pem'] as const;
/** What cert-manager and `kubectl create secret tls` write; `tls.crt` is the chain, its first certificate signs. */
const TLS_KEYS = ['tls.crt', 'tls.key', 'ca.crt'] as const;

/**
 * The authority in force. `cacerts` wins when it is there, and must then be complete; otherwise `istio-ca-secret` is
 * read, or made. Throws when the API cannot be reached; the error value is key material that cannot be used.
 */
export async function openAuthority(
  api: Pick<KubernetesApi, 'get' | 'create'>,
  namespace: string,
  trustDomain: string,
): Promise<Result<CertificateAuthority, string>> {
  const secrets = `/api/v1/namespaces/${namespace}/secrets`;
  const pluggedIn = await api.get<Secret>(`${secrets}/${PLUGGED_IN}`);
  if (pluggedIn !== null) return loadPluggedIn(pluggedIn);
  const own = await api.get<Secret>(`${secrets}/${SELF_SIGNED}`);
  if (own !== null) return named(SELF_SIGNED, CertificateAuthority.load(pemOf(own)));
  const created = createSelfSignedRoot(trustDomain);
  try {
    await api.create(secrets, secretOf(namespace, created));
    return CertificateAuthority.load(created);
  } catch (error) {
    // Another replica was first: its root is the mesh's.
    if (!(error instanceof KubernetesApiError) || error.status !== 409) throw error;
    const winner = await api.get<Secret>(`${secrets}/${SELF_SIGNED}`);
    if (winner === null) throw error;
    return named(SELF_SIGNED, CertificateAuthority.load(pemOf(winner)));
  }
}

function loadPluggedIn(secret: Secret): Result<CertificateAuthority, string> {
  const isTls = secret.data?.['tls.crt'] !== undefined;
  const missing = (isTls ? TLS_KEYS : KEYS).filter((key) => !secret.data?.[key]);
  if (missing.length > 0) return err(`Secret ${PLUGGED_IN} lacks ${missing.join(', ')}`);
  return named(PLUGGED_IN, CertificateAuthority.load(isTls ? tlsPemOf(secret) : pemOf(secret)));
}

function named<T>(secret: string, result: Result<T, string>): Result<T, string> {
  return result.ok ? ok(result.value) : err(`Secret ${secret}: ${result.error}`);
}

function textOf(secret: Secret, key: string): string {
  return Buffer.from(String(secret.data?.[key] ?? ''), 'base64').toString();
}

function tlsPemOf(secret: Secret): AuthorityPem {
  const chain = textOf(secret, 'tls.crt');
  return {
    'ca-cert.pem': chain,
    'ca-key.pem': textOf(secret, 'tls.key'),
    'root-cert.pem': textOf(secret, 'ca.crt'),
    'cert-chain.pem': chain,
  };
}

function pemOf(secret: Secret): AuthorityPem {
  const root = textOf(secret, 'root-cert.pem');
  const chain = textOf(secret, 'cert-chain.pem');
  return {
    'ca-cert.pem': textOf(secret, 'ca-cert.pem'),
    'ca-key.pem': textOf(secret, 'ca-key.pem'),
    ...(root !== '' && { 'root-cert.pem': root }),
    ...(chain !== '' && { 'cert-chain.pem': chain }),
  };
}

function secretOf(namespace: string, pem: AuthorityPem): object {
  const entries = Object.entries(pem).map(([key, text]) => [
    key,
    Buffer.from(String(text)).toString('base64'),
  ]);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: SELF_SIGNED, namespace },
    type: 'istio.io/ca-root',
    data: Object.fromEntries(entries),
  };
}
