/** What one proxy is served, in the form of Envoy's `/config_dump`, and the same in JSON. */
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE, SECRET_TYPE } from '@aquifer/wire';
import { ALL_FILES } from '@aquifer/wire/gen/all_files';
import {
  ClustersConfigDumpSchema,
  EndpointsConfigDumpSchema,
  ListenersConfigDumpSchema,
  RoutesConfigDumpSchema,
} from '@aquifer/wire/gen/envoy/admin/v3_pb';
import {
  create,
  createRegistry,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageInitShape,
  type Registry,
  toJson,
} from '@bufbuild/protobuf';
import {
  type Any,
  AnySchema,
  anyPack,
  EmptySchema,
  StringValueSchema,
} from '@bufbuild/protobuf/wkt';
import type { Resource } from '../../derive/resource.ts';
import type { DiscoveryConnection } from '../../push/discovery-server.ts';

type Entry = { readonly name: string; readonly versionInfo: string; readonly resource: Any };

/** The parts of the dump, in Envoy's order. */
const PARTS: readonly (readonly [string, (entries: readonly Entry[]) => Any])[] = [
  [
    CLUSTER_TYPE,
    (entries) =>
      packed(ClustersConfigDumpSchema, {
        dynamicActiveClusters: entries.map(({ versionInfo, resource: cluster }) => ({
          versionInfo,
          cluster,
        })),
      }),
  ],
  [
    ENDPOINT_TYPE,
    (entries) =>
      packed(EndpointsConfigDumpSchema, {
        dynamicEndpointConfigs: entries.map(({ versionInfo, resource: endpointConfig }) => ({
          versionInfo,
          endpointConfig,
        })),
      }),
  ],
  [
    LISTENER_TYPE,
    (entries) =>
      packed(ListenersConfigDumpSchema, {
        dynamicListeners: entries.map(({ name, versionInfo, resource: listener }) => ({
          name,
          activeState: { versionInfo, listener },
        })),
      }),
  ],
  [
    ROUTE_TYPE,
    (entries) =>
      packed(RoutesConfigDumpSchema, {
        dynamicRouteConfigs: entries.map(({ versionInfo, resource: routeConfig }) => ({
          versionInfo,
          routeConfig,
        })),
      }),
  ],
];

function packed<Schema extends DescMessage>(
  schema: Schema,
  content: MessageInitShape<Schema>,
): Any {
  return anyPack(schema, create(schema, content));
}

/** One message for each type that the proxy asks for and that Envoy's dump knows. */
export function proxyDump(connection: DiscoveryConnection): Any[] {
  return PARTS.filter(([typeUrl]) => connection.statuses.has(typeUrl)).map(([typeUrl, pack]) =>
    pack(heldBy(connection, typeUrl)),
  );
}

function heldBy(connection: DiscoveryConnection, typeUrl: string): Entry[] {
  const held = [...(connection.resources(typeUrl)?.values() ?? [])];
  return held
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, version, bytes }) => ({
      name,
      versionInfo: version,
      resource: create(AnySchema, { typeUrl, value: bytes }),
    }));
}

let types: Registry | null = null;

/** Made when somebody looks. */
function allTypes(): Registry {
  types ??= createRegistry(EmptySchema, StringValueSchema, ...ALL_FILES);
  return types;
}

/** Of what cannot be shown, because it holds types that are not known here, the bytes. */
export function anyInJson(any: Any): JsonValue {
  try {
    return toJson(AnySchema, any, { registry: allTypes() });
  } catch {
    return { '@type': any.typeUrl, value: Buffer.from(any.value).toString('base64') };
  }
}

/** All resources of one type that the proxy is served. */
export function resourcesInJson(
  connection: DiscoveryConnection,
  typeUrl: string,
): readonly JsonObject[] {
  return [...(connection.resources(typeUrl)?.values() ?? [])].map(
    ({ name, version, bytes }: Resource) => ({
      name,
      version,
      // Keys are shown to nobody.
      resource:
        typeUrl === SECRET_TYPE
          ? '[redacted]'
          : anyInJson(create(AnySchema, { typeUrl, value: bytes })),
    }),
  );
}
