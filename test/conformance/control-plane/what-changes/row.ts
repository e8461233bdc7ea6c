/** Rows of the matrix, and how changes are written. */
import type { TestObject } from '../../../../packages/control-plane/src/derive/derivation.fixture.ts';
import type { WatchedKind } from '../../../../packages/control-plane/src/ingest/kinds.ts';
import type { Marks } from './observe.ts';

export type Traffic = 'from outside' | 'between services' | 'to the outside';

export interface Row {
  readonly kind: WatchedKind;
  readonly traffic: Traffic;
  readonly change: string;
  readonly objects: readonly TestObject[];
  /** Of an observer that is left out nothing changes. */
  readonly marks: Partial<Marks>;
}

export const [INGRESS, INTERNAL, EGRESS] = [
  'from outside',
  'between services',
  'to the outside',
] as const satisfies readonly Traffic[];

type RowOf = readonly [Traffic, string, TestObject, Partial<Marks>];

export function rowsOf(kind: WatchedKind, ...rows: readonly RowOf[]): Row[] {
  return rows.map(([traffic, change, object, marks]) => {
    return { kind, traffic, change, objects: [object], marks };
  });
}

export const NETWORKING = 'networking.istio.io/v1';

/** An object by `apiVersion/Kind` and `namespace/name`. */
export function added(type: string, key: string, fields: object): TestObject {
  const slash = type.lastIndexOf('/');
  const [namespace = '', name = ''] = key.split('/');
  const [apiVersion, kind] = [type.slice(0, slash), type.slice(slash + 1)];
  const metadata = { namespace, name, uid: `${kind}-${key}` };
  return { apiVersion, kind, metadata, ...fields } as unknown as TestObject;
}

export function withSpec(object: TestObject, spec: object): TestObject {
  return { ...object, spec: { ...(object.spec as object), ...spec } };
}

export function withLabels(
  object: TestObject,
  labels: Readonly<Record<string, string>>,
): TestObject {
  return { ...object, metadata: { ...object.metadata, labels } };
}
