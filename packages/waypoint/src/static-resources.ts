import { readFile } from 'node:fs/promises';
import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { type DescMessage, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { KNOWN_TYPES } from './capabilities/known-types.ts';
import type { DataPlane } from './data-plane/data-plane.ts';

interface Bootstrap {
  readonly static_resources?: {
    readonly clusters?: readonly JsonValue[];
    readonly listeners?: readonly JsonValue[];
  };
}

/** Applies the clusters and listeners of an Envoy bootstrap file; throws if any of them cannot be served. */
export async function applyStaticResources(path: string, dataPlane: DataPlane): Promise<void> {
  const { static_resources: resources = {} } = JSON.parse(
    await readFile(path, 'utf8'),
  ) as Bootstrap;
  const rejected = [
    ...dataPlane.apply('cluster', batchOf(ClusterSchema, resources.clusters)),
    ...dataPlane.apply('listener', batchOf(ListenerSchema, resources.listeners)),
  ];
  if (rejected.length === 0) return;
  throw new Error(
    `${path}: ${rejected.map(({ name, reason }) => `${name}: ${reason}`).join('; ')}`,
  );
}

function batchOf(schema: DescMessage, values: readonly JsonValue[] = []) {
  const resources = values.map((value) => {
    const message = fromJson(schema, value, { registry: KNOWN_TYPES });
    const { name } = message as unknown as { name: string };
    return { name, body: toBinary(schema, message) };
  });
  return { resources, removed: [] };
}
