import type { CertificateState } from '@aquifer/control-plane-client';
import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ClusterLoadAssignmentSchema } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { RouteConfigurationSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { HttpConnectionManagerSchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import {
  type DescMessage,
  fromBinary,
  type JsonObject,
  type JsonValue,
  type Registry,
  toJson,
} from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { isType, unpack } from '../compile/any.ts';
import type { ResourceKind } from '../data-plane/resources.ts';
import type { ServedResource, ServedResources } from '../data-plane/served-resources.ts';

/** What `/config_dump` shows. */
export interface DumpSource {
  readonly resources: ServedResources;
  /** Types that may stand in an Any. */
  readonly types: Registry;
  readonly node: JsonObject;
  readonly certificate: CertificateState | null;
}

interface DumpQuery {
  /** Endpoints too, which Envoy leaves out unless asked. */
  readonly includesEndpoints: boolean;
  /** Only this part, by its field, such as `dynamic_listeners`; null for all. */
  readonly resource: string | null;
}

const SCHEMAS: Readonly<Record<ResourceKind, DescMessage>> = {
  cluster: ClusterSchema,
  endpoints: ClusterLoadAssignmentSchema,
  listener: ListenerSchema,
  routes: RouteConfigurationSchema,
};

/** In the form of Envoy's, which istioctl and people read (envoy.admin.v3.ConfigDump, names of fields as in protobuf). */
export function configDump(source: DumpSource, query: DumpQuery): JsonObject {
  const parts: Record<string, JsonObject> = {
    bootstrap: { ...typed('Bootstrap'), bootstrap: { node: source.node } },
    dynamic_active_clusters: {
      ...typed('Clusters'),
      dynamic_active_clusters: entries(source, 'cluster', 'cluster'),
    },
    dynamic_endpoint_configs: {
      ...typed('Endpoints'),
      dynamic_endpoint_configs: entries(source, 'endpoints', 'endpoint_config'),
    },
    dynamic_listeners: { ...typed('Listeners'), dynamic_listeners: listeners(source) },
    dynamic_route_configs: {
      ...typed('Routes'),
      static_route_configs: inlineRoutes(source),
      dynamic_route_configs: entries(source, 'routes', 'route_config'),
    },
    dynamic_active_secrets: {
      ...typed('Secrets'),
      dynamic_active_secrets: secrets(source.certificate),
    },
  };
  const shown = Object.entries(parts).filter(([field]) =>
    query.resource === null
      ? query.includesEndpoints || field !== 'dynamic_endpoint_configs'
      : field === query.resource,
  );
  return { configs: shown.map(([, part]) => part) };
}

function typed(kind: string): JsonObject {
  return { '@type': `type.googleapis.com/envoy.admin.v3.${kind}ConfigDump` };
}

function entries(source: DumpSource, kind: ResourceKind, field: string): JsonObject[] {
  const { resources } = source;
  return [
    ...resources.all(kind).map((resource) => ({
      [field]: jsonOf(source, kind, resource),
      last_updated: resource.updatedAt.toISOString(),
      ...errorState(source, kind, resource.name),
    })),
    ...resources.unserved(kind).map((name) => ({ name, ...errorState(source, kind, name) })),
  ];
}

function listeners(source: DumpSource): JsonObject[] {
  const { resources } = source;
  return [
    ...resources.all('listener').map((resource) => ({
      name: resource.name,
      active_state: {
        listener: jsonOf(source, 'listener', resource),
        last_updated: resource.updatedAt.toISOString(),
      },
      ...errorState(source, 'listener', resource.name),
    })),
    ...resources.unserved('listener').map((name) => ({
      name,
      ...errorState(source, 'listener', name),
    })),
  ];
}

/** Routes that stand in listeners, which is where people look for them. */
function inlineRoutes({ resources, types }: DumpSource): JsonObject[] {
  return resources.all('listener').flatMap(({ body, updatedAt }) => {
    const { filterChains } = fromBinary(ListenerSchema, body);
    const managers = filterChains
      .flatMap(({ filters }) => filters.map(({ configType }) => configType.value))
      .filter((any): any is Any => isType(any, HttpConnectionManagerSchema));
    return managers.flatMap((any) => {
      const { routeSpecifier } = unpack(any, HttpConnectionManagerSchema, 'routes');
      if (routeSpecifier.case !== 'routeConfig') return [];
      const route = asJson(RouteConfigurationSchema, routeSpecifier.value, types);
      return [
        {
          route_config: { ...typeOf(RouteConfigurationSchema), ...route },
          last_updated: updatedAt.toISOString(),
        },
      ];
    });
  });
}

function errorState({ resources }: DumpSource, kind: ResourceKind, name: string): JsonObject {
  const refusal = resources.refusal(kind, name);
  if (refusal === null) return {};
  const { at, reason } = refusal;
  return { error_state: { last_update_attempt: at.toISOString(), details: reason } };
}

function jsonOf({ types }: DumpSource, kind: ResourceKind, { body }: ServedResource): JsonObject {
  const schema = SCHEMAS[kind];
  return { ...typeOf(schema), ...asJson(schema, fromBinary(schema, body), types) };
}

function typeOf({ typeName }: DescMessage): JsonObject {
  return { '@type': `type.googleapis.com/${typeName}` };
}

function asJson(
  schema: DescMessage,
  message: ReturnType<typeof fromBinary>,
  registry: Registry,
): JsonObject {
  return toJson(schema, message, { registry, useProtoFieldName: true }) as JsonObject;
}

/** Never a key. */
function secrets(certificate: CertificateState | null): JsonObject[] {
  if (certificate?.kind !== 'available') return [];
  const { chain, roots } = certificate.certificate;
  const bytes = (text: string): JsonValue => ({
    inline_bytes: Buffer.from(text).toString('base64'),
  });
  const own = { certificate_chain: bytes(chain), private_key: bytes('[redacted]') };
  return [
    secret('default', { tls_certificate: own }),
    secret('ROOTCA', { validation_context: { trusted_ca: bytes(roots) } }),
  ];
}

function secret(name: string, content: JsonObject): JsonObject {
  const type = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
  return { name, secret: { '@type': type, name, ...content } };
}
