import type { Identity } from '@aquifer/model';

/** Who is at the other end, as the Kubernetes API vouches for its token. */
export interface Caller {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly identity: Identity;
  /** The pod that the token is bound to; null for tokens of no pod. */
  readonly pod: { readonly name: string; readonly uid: string } | null;
}
