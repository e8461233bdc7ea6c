/** Certificates that Secrets and ConfigMaps hold, in either of two customs (spec l7 7.4). */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { ConfigMap, Secret } from '@aquifer/model/resources';

/** PEM. */
export interface KeyPair {
  readonly certificate: Uint8Array;
  readonly key: Uint8Array;
}

type Data = Readonly<Record<string, string>>;

/** The general custom, and that of Kubernetes. */
const PAIRS = [
  { certificate: 'cert', key: 'key' },
  { certificate: 'tls.crt', key: 'tls.key' },
] as const;

/** Null if it holds none. */
export function keyPairOf({ data }: Secret): KeyPair | null {
  const all: Data = data ?? {};
  const found = PAIRS.find(({ certificate, key }) => all[certificate] && all[key]);
  if (found === undefined) return null;
  return { certificate: decoded(all, found.certificate), key: decoded(all, found.key) };
}

/** PEM of the authorities, and of the certificates that they took back; null if it holds none. */
export function rootsOf({
  data,
}: Secret): { readonly roots: Uint8Array; readonly crl: Uint8Array } | null {
  const all: Data = data ?? {};
  const name = ['cacert', 'ca.crt'].find((key) => all[key]);
  if (name === undefined) return null;
  return { roots: decoded(all, name), crl: decoded(all, name === 'cacert' ? 'crl' : 'ca.crl') };
}

function decoded(data: Data, key: string): Uint8Array {
  return Buffer.from(data[key] ?? '', 'base64');
}

/** Each Secret is looked at once. */
const problems = new WeakMap<Secret, string | null>();

/** What is wrong with the pair, as Istio says it; null if proxies can use it. */
export function certificateProblem(secret: Secret): string | null {
  const known = problems.get(secret);
  if (known !== undefined) return known;
  const problem = problemOf(secret);
  problems.set(secret, problem);
  return problem;
}

function problemOf(secret: Secret): string | null {
  const pair = keyPairOf(secret);
  if (pair === null) {
    return `found secret, but didn't have expected keys (cert and key) or (tls.crt and tls.key); found: ${namesIn(secret)}`;
  }
  const problem = pairProblem(pair);
  return problem === null ? null : `the certificate is malformed: ${problem}`;
}

function pairProblem({ certificate, key }: KeyPair): string | null {
  const text = Buffer.from(certificate).toString();
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    return 'tls: failed to find any PEM data in certificate input';
  }
  try {
    const isOf = new X509Certificate(text).checkPrivateKey(createPrivateKey(Buffer.from(key)));
    return isOf ? null : 'tls: private key does not match public key';
  } catch (error) {
    return (error as Error).message;
  }
}

/** PEM of the authorities that a ConfigMap holds; empty for none. */
export function rootsIn({ data }: ConfigMap): string {
  return data?.['ca.crt'] || data?.cacert || '';
}

/** What is wrong with what should hold them; null if proxies can use it. */
export function rootsProblem(object: ConfigMap): string | null {
  const roots = rootsIn(object);
  if (roots === '') {
    return `found secret, but didn't have expected keys cacert or ca.crt; found: ${namesIn(object)}`;
  }
  try {
    void new X509Certificate(roots);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

const MAX_NAMES = 3;

function namesIn({ data }: Secret | ConfigMap): string {
  const names = Object.keys(data ?? {}).toSorted();
  const more = names.length - MAX_NAMES;
  const shown = names.slice(0, MAX_NAMES).join(', ');
  return more > 0 ? `${shown}, and ${more} more...` : shown;
}
