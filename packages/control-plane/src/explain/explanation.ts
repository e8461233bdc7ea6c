/** Why something is as it is: what is made of an object, line by line, and the fields that each line was made from. */
import type { ExplainedLine, Reason } from '@aquifer/wire';
import type { Collection } from '../collections/collection.ts';
import { trace } from '../collections/trace.ts';
import type { Derivation } from '../derive/derivation.ts';
import { type ObjectRef, WATCHED_KINDS } from '../ingest/kinds.ts';

type LineContent = Pick<ExplainedLine, 'what' | 'name'> & Partial<ExplainedLine>;

export function line({
  detail = '',
  because = [],
  lines = [],
  ...content
}: LineContent): ExplainedLine {
  return { detail, because, lines, ...content };
}

/** The objects that a value was derived from; what holds for the whole mesh is not named. */
export function reasonsFor(collection: Collection<unknown>, key: string): Reason[] {
  return trace(collection, key)
    .filter(({ input }) => Object.hasOwn(WATCHED_KINDS, input))
    .map(({ input, key: inputKey, paths }) => ({
      object: refOf(input, inputKey),
      fields: paths.filter((path) => !IDENTITY.test(path)),
    }));
}

/** What an object is found by is no reason. */
const IDENTITY =
  /^(apiVersion|kind|metadata\.(name|namespace|uid|resourceVersion|creationTimestamp))$/;

function refOf(input: string, key: string): ObjectRef {
  const slash = key.indexOf('/');
  const kind = input === 'MeshConfigMap' ? 'ConfigMap' : input;
  return { kind, namespace: key.slice(0, Math.max(slash, 0)), name: key.slice(slash + 1) };
}

/** The conditions that the object's status has now. */
export function conditionLines(object: unknown): ExplainedLine[] {
  const { status } = object as { readonly status?: StatusConditions };
  const parents = status?.parents ?? [];
  const conditions = [
    status?.conditions ?? [],
    ...parents.map((parent) => parent.conditions ?? []),
  ];
  return conditions.flat().map(({ type, status: state, reason = '', message = '' }) =>
    line({
      what: 'condition',
      name: `${type} ${state}`,
      detail: [reason, message].filter((text) => text !== '').join(': '),
    }),
  );
}

interface StatusConditions {
  readonly conditions?: readonly StoredCondition[];
  readonly parents?: readonly { readonly conditions?: readonly StoredCondition[] }[];
}

interface StoredCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

/** What is explained from. */
export type Explained = Pick<Derivation, 'cluster' | 'mesh' | 'waypoints'>;
