/** Test fixture: what is served in the form of the recordings (test/fixtures/golden/l7), to be compared with them. */
import { type DescMessage, fromBinary, type Registry, toJson } from '@bufbuild/protobuf';
import type { ResourceMap } from '../resource.ts';

export type Json = Readonly<Record<string, unknown>> & { readonly name?: unknown };

/** `registry` knows the messages that are packed in others. */
export function toRecordedJson(
  schema: DescMessage,
  resources: ResourceMap,
  registry: Registry,
): Json {
  const entries = [...resources.values()].map(({ name, bytes }) => {
    const json = toJson(schema, fromBinary(schema, bytes), { registry }) as Json;
    return [name, { '@type': `type.googleapis.com/${schema.typeName}`, ...json }];
  });
  return Object.fromEntries(entries);
}

const PRIVATE_FILTERS: readonly unknown[] = [
  'waypoint_downstream_peer_metadata',
  'waypoint_upstream_peer_metadata',
  'istio.metadata_exchange',
  'istio.alpn',
];

/** `disable_mx` tells the metadata exchange of Istio to do nothing; settings of a tracer that is not there say nothing either. */
function isPrivateField(name: string, item: unknown): boolean {
  return name === 'disable_mx' || (name === 'tracing' && !Object.hasOwn(item as Json, 'provider'));
}

/**
 * A recording without what only Istio's build of Envoy knows (peer metadata, its metadata exchange and ALPN) and the settings of
 * a tracer that is not there. `isLeftOut` says what else is not compared, of fields and of items that have a name.
 */
export function comparable(
  value: unknown,
  isLeftOut: (name: string, item: unknown) => boolean = () => false,
): unknown {
  const isKept = (name: unknown, item: unknown): boolean =>
    typeof name !== 'string' || !isLeftOut(name, item);
  if (Array.isArray(value)) {
    return value
      .map((item) => item as Json | null)
      .filter((item) => !PRIVATE_FILTERS.includes(item?.name) && isKept(item?.name, item))
      .map((item) => comparable(item, isLeftOut));
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([key, item]) => !isPrivateField(key, item) && isKept(key, item))
    .map(([key, item]) => [key, comparable(item, isLeftOut)] as const)
    .filter(([key, item]) => key !== 'filters' || (item as unknown[]).length > 0);
  return Object.fromEntries(entries);
}
