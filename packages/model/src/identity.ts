/** A workload's SPIFFE identity, `spiffe://<trustDomain>/ns/<namespace>/sa/<serviceAccount>` (spec ztunnel 2.1). */
export interface Identity {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

const SCHEME = 'spiffe://';

/** Every connection names its peers several times, and they are few. */
const uris = new WeakMap<Identity, string>();

/** The identity as a URI. */
export function formatIdentity(identity: Identity): string {
  const known = uris.get(identity);
  if (known !== undefined) return known;
  const uri = `${SCHEME}${principal(identity)}`;
  uris.set(identity, uri);
  return uri;
}

/** The identity without its scheme: what policies match as a principal. */
export function principal(identity: Identity): string {
  return `${identity.trustDomain}/ns/${identity.namespace}/sa/${identity.serviceAccount}`;
}

/** Null unless the text has exactly the shape above; empty parts are allowed. */
export function parseIdentity(uri: string): Identity | null {
  if (!uri.startsWith(SCHEME)) return null;
  const [trustDomain, ns, namespace, sa, serviceAccount, ...rest] = uri
    .slice(SCHEME.length)
    .split('/');
  if (ns !== 'ns' || sa !== 'sa' || rest.length > 0) return null;
  if (trustDomain === undefined || namespace === undefined || serviceAccount === undefined)
    return null;
  return { trustDomain, namespace, serviceAccount };
}
