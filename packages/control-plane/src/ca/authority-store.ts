/** Where the authority's key material comes from: mounted files, a plugged-in Secret, or one of our own making (spec control-plane 4.4). */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { err, ok, type Result } from '@aquifer/model';
import type { Secret } from '@aquifer/model/resources';
import type { KubernetesApi } from '../ingest/kubernetes-api.ts';
import { KubernetesApiError } from '../ingest/kubernetes-api.ts';
import { type AuthorityPem, createSelfSignedRoot } from './authority.ts';
import { certificatesIn } from './pem.ts';

const PLUGGED_IN = 'cacerts';
export const SELF_SIGNED = 'istio-ca-secret';
const KEYS = ['ca-cert.pem', 'ca-key.pem', 'root-cert.pem', 'cert-chain.pem'] as const;
/** What cert-manager and `kubectl create secret tls` write; `tls.crt` is the chain, its first certificate signs. */
const TLS_KEYS = ['tls.crt', 'tls.key', 'ca.crt'] as const;
const REVOCATIONS = 'ca-crl.pem';

export interface AuthorityMaterial {
  /** For people: `Secret cacerts`, or the directory. */
  readonly origin: string;
  readonly pem: AuthorityPem;
  /** Of the self-signed root, which the control plane renews itself, the Secret's version; null for what is plugged in. */
  readonly renewable: string | null;
}

export interface AuthoritySource {
  readonly api: Pick<KubernetesApi, 'get' | 'create'>;
  /** Of the Secrets. */
  readonly namespace: string;
  /** Files in it win over Secrets. */
  readonly directory: string;
}

/**
 * What is there now, most wanted first: files of the directory, `cacerts`, `istio-ca-secret`; null if there is none. Throws
 * when the API cannot be reached; the error value says what a plugged-in one lacks.
 */
export async function readMaterial(
  source: AuthoritySource,
): Promise<Result<AuthorityMaterial | null, string>> {
  const files = await filesOf(source.directory);
  if (files.size > 0) return pluggedIn(`directory ${source.directory}`, files);
  const secret = await secretNamed(source, PLUGGED_IN);
  if (secret !== null) return pluggedIn(`Secret ${PLUGGED_IN}`, textsOf(secret));
  const own = await secretNamed(source, SELF_SIGNED);
  return ok(own === null ? null : selfSigned(own));
}

/** As `readMaterial`, but makes a self-signed root where there is nothing. */
export async function openMaterial(
  source: AuthoritySource,
  trustDomain: string,
): Promise<Result<AuthorityMaterial, string>> {
  const found = await readMaterial(source);
  if (!found.ok) return found;
  if (found.value !== null) return ok(found.value);
  const { api, namespace } = source;
  const path = `/api/v1/namespaces/${namespace}/secrets`;
  try {
    const body = secretOf(namespace, createSelfSignedRoot(trustDomain));
    return ok(selfSigned(await api.create<Secret>(path, body)));
  } catch (error) {
    // Another replica was first: its root is the mesh's.
    if (!(error instanceof KubernetesApiError) || error.status !== 409) throw error;
    const winner = await secretNamed(source, SELF_SIGNED);
    if (winner === null) throw error;
    return ok(selfSigned(winner));
  }
}

/** PEM; empty if `path` is null. The error says that there are none. */
export async function readExternalRoots(path: string | null): Promise<Result<string, string>> {
  if (path === null) return ok('');
  const text = await readFile(path, 'utf8').catch(() => '');
  return certificatesIn(text).length > 0
    ? ok(text)
    : err(`${path} has no roots of the authority that signs workloads`);
}

function secretNamed({ api, namespace }: AuthoritySource, name: string): Promise<Secret | null> {
  return api.get<Secret>(`/api/v1/namespaces/${namespace}/secrets/${name}`);
}

type Texts = ReadonlyMap<string, string>;

/** Files that are not there are left out, and so are empty ones. */
async function filesOf(directory: string): Promise<Texts> {
  const read = async (name: string): Promise<readonly [string, string]> => {
    try {
      return [name, await readFile(join(directory, name), 'utf8')];
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? ''))
        return [name, ''];
      throw error;
    }
  };
  const files = await Promise.all([...KEYS, ...TLS_KEYS, REVOCATIONS].map(read));
  return new Map(files.filter(([, text]) => text !== ''));
}

function textsOf({ data }: Secret): Texts {
  const texts = Object.entries(data ?? {}).map(
    ([key, value]) => [key, Buffer.from(String(value), 'base64').toString()] as const,
  );
  return new Map(texts.filter(([, text]) => text !== ''));
}

/** It must be complete. */
function pluggedIn(origin: string, texts: Texts): Result<AuthorityMaterial, string> {
  const isTls = texts.has('tls.crt');
  const missing = (isTls ? TLS_KEYS : KEYS).filter((key) => !texts.has(key));
  if (missing.length > 0) return err(`${origin} lacks ${missing.join(', ')}`);
  return ok({ origin, pem: isTls ? tlsPemOf(texts) : pemOf(texts), renewable: null });
}

function selfSigned(secret: Secret): AuthorityMaterial {
  const renewable = secret.metadata.resourceVersion ?? '';
  return { origin: `Secret ${SELF_SIGNED}`, pem: pemOf(textsOf(secret)), renewable };
}

function tlsPemOf(texts: Texts): AuthorityPem {
  const chain = texts.get('tls.crt')!;
  return {
    'ca-cert.pem': chain,
    'ca-key.pem': texts.get('tls.key')!,
    'root-cert.pem': texts.get('ca.crt')!,
    'cert-chain.pem': chain,
    ...optional(texts, [REVOCATIONS]),
  };
}

function pemOf(texts: Texts): AuthorityPem {
  return {
    'ca-cert.pem': texts.get('ca-cert.pem') ?? '',
    'ca-key.pem': texts.get('ca-key.pem') ?? '',
    ...optional(texts, ['root-cert.pem', 'cert-chain.pem', REVOCATIONS]),
  };
}

function optional(texts: Texts, keys: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    keys.flatMap((key) => (texts.has(key) ? [[key, texts.get(key)!] as const] : [])),
  );
}

function secretOf(namespace: string, pem: AuthorityPem): object {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: SELF_SIGNED, namespace },
    type: 'istio.io/ca-root',
    data: base64Values(pem),
  };
}

/** As the `data` of a Secret. */
export function base64Values(texts: object): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, Buffer.from(String(text)).toString('base64')]),
  );
}
