/** Which roots are trusted, and how long, kept where the next process finds it: it may be started with other ones. */
import { err, ok, type Result } from '@aquifer/model';
import type { Secret } from '@aquifer/model/resources';
import type { KubernetesApi } from '../ingest/kubernetes-api.ts';
import { certificatesIn, fingerprintOf } from './pem.ts';
import { type PreviousRoot, type Rotation, trustedBundle } from './rotation.ts';

const TRUSTED_ROOTS = 'istio-ca-trusted-roots';
const KEY = 'roots.json';

interface StoredRoot {
  /** PEM. */
  readonly certificate: string;
  /** RFC 3339; null as long as it is part of the authority. */
  readonly trustedUntil: string | null;
}

/** The Secret's `roots.json`. */
export function textOfRoots(rotation: Rotation): string {
  const until = new Map(
    rotation.previous.map(({ certificate, untilMs }) => [fingerprintOf(certificate), untilMs]),
  );
  const roots = certificatesIn(trustedBundle(rotation)).map((certificate): StoredRoot => {
    const untilMs = until.get(fingerprintOf(certificate));
    const trustedUntil = untilMs === undefined ? null : new Date(untilMs).toISOString();
    return { certificate, trustedUntil };
  });
  return JSON.stringify(roots);
}

/** The Secret's `roots.json`; empty if it is not there. */
export async function readTrustedRoots(
  api: Pick<KubernetesApi, 'get'>,
  namespace: string,
): Promise<string> {
  const secret = await api.get<Secret>(trustedRootsPath(namespace));
  return Buffer.from(String(secret?.data?.[KEY] ?? ''), 'base64').toString();
}

/**
 * What an authority that begins with `rootBundle` has to trust besides. A root that was part of the authority until now is
 * trusted until `untilMs`. The error says why the text is not what `textOfRoots` writes.
 */
export function previousRoots(
  text: string,
  rootBundle: string,
  untilMs: number,
): Result<PreviousRoot[], string> {
  if (text === '') return ok([]);
  try {
    const own = new Set(certificatesIn(rootBundle).map(fingerprintOf));
    const stored = JSON.parse(text) as readonly StoredRoot[];
    const previous = stored
      .filter(({ certificate }) => !own.has(fingerprintOf(certificate)))
      .map(({ certificate, trustedUntil }) => ({
        certificate,
        untilMs: trustedUntil === null ? untilMs : Date.parse(trustedUntil),
      }));
    return ok(previous);
  } catch (error) {
    return err(`Secret ${TRUSTED_ROOTS}: ${KEY} cannot be read: ${(error as Error).message}`);
  }
}

export function trustedRootsPath(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/secrets/${TRUSTED_ROOTS}`;
}

/** The Secret, for server-side apply. */
export function trustedRootsSecret(namespace: string, text: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: TRUSTED_ROOTS, namespace },
    type: 'istio.io/ca-root',
    data: { [KEY]: Buffer.from(text).toString('base64') },
  };
}
