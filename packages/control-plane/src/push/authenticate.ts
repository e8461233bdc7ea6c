/** Who calls: the Kubernetes API vouches for the bearer token (spec control-plane 3.5). */
import { err, type Identity, ok, type Result } from '@aquifer/model';
import type { TokenReview } from '@aquifer/model/resources';
import type { Metadata } from '@grpc/grpc-js';
import type { KubernetesApi } from '../ingest/kubernetes-api.ts';

/** Who is at the other end. */
export interface Caller {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly identity: Identity;
  /** The pod that the token is bound to; null for tokens of no pod. */
  readonly pod: { readonly name: string; readonly uid: string } | null;
}

/** Null for a call that carries no token. The error is for the log; callers learn only that they are not known. */
export type Authenticate = (metadata: Metadata) => Promise<Result<Caller | null, string>>;

const AUDIENCE = 'istio-ca';
const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';

/**
 * Asks the API for every call: a token of a deleted pod stops working at once. `trustDomain` is that of identities at the
 * time of the call.
 */
export function tokenAuthenticator(
  api: Pick<KubernetesApi, 'create'>,
  trustDomain: () => string,
): Authenticate {
  return async (metadata) => {
    const token = bearerToken(metadata);
    if (token === null) return ok(null);
    try {
      const review = await api.create<TokenReview>('/apis/authentication.k8s.io/v1/tokenreviews', {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token, audiences: [AUDIENCE] },
      });
      return callerOf(review, trustDomain());
    } catch (error) {
      return err(`the token could not be reviewed: ${(error as Error).message}`);
    }
  };
}

function bearerToken(metadata: Metadata): string | null {
  const [header] = metadata.get('authorization');
  const [, token] = /^Bearer (\S+)$/.exec(String(header ?? '')) ?? [];
  return token ?? null;
}

function callerOf(review: TokenReview, trustDomain: string): Result<Caller, string> {
  const { authenticated, user, audiences = [], error } = review.status ?? {};
  if (authenticated !== true) return err(error || 'the token is not valid');
  // An answer without audiences is about a token for the API itself.
  if (!audiences.includes(AUDIENCE)) return err(`the token is not for the audience ${AUDIENCE}`);
  return accountOf(user ?? {}, trustDomain);
}

type User = NonNullable<NonNullable<TokenReview['status']>['user']>;

function accountOf(user: User, trustDomain: string): Result<Caller, string> {
  const { username = '', extra = {} } = user;
  const [, namespace, serviceAccount] =
    /^system:serviceaccount:([^:]+):([^:]+)$/.exec(username) ?? [];
  if (namespace === undefined || serviceAccount === undefined) {
    return err(`${username} is not a service account`);
  }
  const identity = { trustDomain, namespace, serviceAccount };
  return ok({ namespace, serviceAccount, identity, pod: podOf(extra) });
}

function podOf(extra: Readonly<Record<string, readonly string[]>>): Caller['pod'] {
  const name = extra[POD_NAME]?.[0];
  const uid = extra[POD_UID]?.[0];
  return name === undefined || uid === undefined ? null : { name, uid };
}
