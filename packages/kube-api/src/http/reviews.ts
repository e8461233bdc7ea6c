/** Questions that are posted and answered: tokens, and who may do what. */
import { type JsonObject, listOr, objectOr, stringOr, timestampOf } from '../json.ts';
import type { UserInfo } from '../objects/write-request.ts';
import type { ServedResource } from '../resource-registry.ts';
import type { AccessAttributes, Authorizer } from '../security/authorization.ts';
import { ISSUER, type Tokens } from '../security/tokens.ts';
import { badRequest, conflict, type NamedKind, notFound } from '../status.ts';
import type { Storage } from '../storage/storage.ts';
import { type Exchange, objectBody, sendKind } from './exchange.ts';
import type { ResourcePath } from './request-info.ts';
import { reviewBody } from './write-handlers.ts';

/** What answering questions needs. */
export interface ReviewDependencies {
  readonly tokens: Tokens;
  readonly authorizer: Authorizer;
  readonly storage: Storage;
}

function attributesOf(spec: JsonObject): AccessAttributes {
  const path = objectOr(spec.nonResourceAttributes);
  if (spec.nonResourceAttributes !== undefined) {
    return { verb: stringOr(path.verb) ?? '', path: stringOr(path.path) ?? '', resource: null };
  }
  const asked = objectOr(spec.resourceAttributes);
  const text = (field: string): string => stringOr(asked[field]) ?? '';
  return {
    verb: text('verb'),
    path: '',
    resource: {
      group: text('group'),
      plural: text('resource'),
      subresource: text('subresource'),
      namespace: text('namespace'),
      name: text('name'),
    },
  };
}

function userOf(spec: JsonObject): UserInfo {
  return { username: stringOr(spec.user) ?? '', groups: listOr(spec.groups).map(String) };
}

type Answer = (
  review: JsonObject,
  exchange: Exchange,
  dependencies: ReviewDependencies,
) => JsonObject | Promise<JsonObject>;

function access(user: UserInfo, review: JsonObject, authorizer: Authorizer): JsonObject {
  const { allowed, reason } = authorizer.decide(user, attributesOf(objectOr(review.spec)));
  return { allowed, ...(reason === '' ? {} : { reason }) };
}

const askOther: Answer = (review, _exchange, { authorizer }) =>
  access(userOf(objectOr(review.spec)), review, authorizer);

const answers: Readonly<Record<string, Answer>> = {
  SelfSubjectAccessReview: (review, { user }, { authorizer }) => access(user, review, authorizer),
  SubjectAccessReview: askOther,
  LocalSubjectAccessReview: askOther,
  SelfSubjectReview: (_review, { user }) => ({ userInfo: user }),
  SelfSubjectRulesReview: (review, { user }, { authorizer }) => {
    const namespace = stringOr(objectOr(review.spec).namespace) ?? '';
    const all = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] };
    const granted = [...authorizer.rulesOf(user, namespace)].map(([, rule]) => rule);
    const rules = user.groups.includes('system:masters')
      ? [all, { verbs: ['*'], nonResourceURLs: ['*'] }, ...granted]
      : granted;
    return {
      resourceRules: rules.filter((rule) => 'resources' in rule),
      nonResourceRules: rules.filter((rule) => 'nonResourceURLs' in rule),
      incomplete: false,
    };
  },
  TokenReview: async (review, _exchange, { tokens }) => {
    const spec = objectOr(review.spec);
    const wanted = listOr(spec.audiences).map(String);
    const audiences = wanted.length === 0 ? [ISSUER] : wanted;
    const verified = await tokens.verify(stringOr(spec.token) ?? '', audiences);
    if (verified === null) return { user: {}, error: 'invalid bearer token' };
    return { authenticated: true, user: verified.user, audiences: verified.audiences };
  },
};

/** `POST` of a review: the same object with its status. */
export async function handleReview(
  exchange: Exchange,
  dependencies: ReviewDependencies,
  resource: ServedResource,
): Promise<void> {
  const review = await reviewBody(exchange, resource);
  const answer = answers[resource.kind];
  if (answer === undefined) throw badRequest(`${resource.kind} is not answered by this server`);
  const status = await answer(review, exchange, dependencies);
  sendKind(exchange.response, 201, { ...review, status });
}

/** What a token may be bound to. */
const bindable: ReadonlyMap<unknown, NamedKind> = new Map([
  ['Pod', { group: '', plural: 'pods', kind: 'Pod' }],
  ['Secret', { group: '', plural: 'secrets', kind: 'Secret' }],
  ['Node', { group: '', plural: 'nodes', kind: 'Node' }],
]);

/** Throws 404 for an object that is not there, 409 for one that was replaced by another of its name. */
function checkBound(storage: Storage, namespace: string, bound: JsonObject): void {
  const kind = bindable.get(bound.kind);
  if (kind === undefined) return;
  const name = stringOr(bound.name) ?? '';
  const scope = kind.plural === 'nodes' ? '' : namespace;
  const object = storage.get(`/${kind.plural}`, scope, name);
  if (object === null) throw notFound(kind, name);
  const { uid = '' } = object.metadata;
  const asked = stringOr(bound.uid) ?? '';
  if (asked !== '' && asked !== uid) {
    const why = `the UID in the bound object reference (${asked}) does not match the UID in record. The object might have been deleted and then recreated`;
    throw conflict(kind, name, why);
  }
}

/** `POST serviceaccounts/NAME/token` (TokenRequest). */
export async function handleTokenRequest(
  exchange: Exchange,
  { tokens, storage }: ReviewDependencies,
  path: ResourcePath,
): Promise<void> {
  const body = await objectBody(exchange);
  const spec = objectOr(body.spec);
  const bound = objectOr(spec.boundObjectRef);
  const seconds = spec.expirationSeconds;
  checkBound(storage, path.namespace, bound);
  if (typeof seconds === 'number' && seconds < 600) {
    throw badRequest(
      'spec.expirationSeconds: Invalid value: may not specify a duration less than 10 minutes',
    );
  }
  const audiences = listOr(spec.audiences).map(String);
  const { token, expiresAt } = await tokens.issue({
    namespace: path.namespace,
    serviceAccount: path.name,
    audiences,
    expirationSeconds: typeof seconds === 'number' ? seconds : undefined,
    boundPod:
      bound.kind === 'Pod'
        ? { name: stringOr(bound.name) ?? '', uid: stringOr(bound.uid) }
        : undefined,
  });
  sendKind(exchange.response, 201, {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: {
      name: path.name,
      namespace: path.namespace,
      creationTimestamp: timestampOf(new Date()),
    },
    spec: {
      audiences: audiences.length === 0 ? [ISSUER] : audiences,
      expirationSeconds: typeof seconds === 'number' ? seconds : 3600,
      boundObjectRef: spec.boundObjectRef ?? null,
    },
    status: { token, expirationTimestamp: timestampOf(expiresAt) },
  });
}
