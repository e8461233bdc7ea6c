/** How an HTTP connection manager makes spans (spec l7 8.4; recordings l7/27, 28). */
import type { HeaderValueOptionSchema } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import { HeaderValueOption_HeaderAppendAction as AppendAction } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  ZipkinConfig_CollectorEndpointVersion as EndpointVersion,
  OpenTelemetryConfigSchema,
  ZipkinConfig_TraceContextOption as TraceContext,
  ZipkinConfigSchema,
} from '@aquifer/wire/gen/envoy/config/trace/v3_pb';
import type { HttpConnectionManager_TracingSchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import { EnvironmentResourceDetectorConfigSchema } from '@aquifer/wire/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3_pb';
import type { CustomTagSchema } from '@aquifer/wire/gen/envoy/type/tracing/v3_pb';
import type { CustomTag } from '../telemetry/mesh-telemetry.ts';
import type { ProxyTracing, SpanMaker } from '../telemetry/proxy-telemetry.ts';
import type {
  AddedHeader,
  OpenTelemetryTracer,
  Tracer,
  ZipkinTracer,
} from '../telemetry/telemetry-providers.ts';
import { outboundCluster } from './names.ts';
import { duration, type Extension, extension, type Init, packed } from './packed.ts';

type TracingInit = Init<typeof HttpConnectionManager_TracingSchema>;
type Tag = Init<typeof CustomTagSchema>;
type Header = Init<typeof HeaderValueOptionSchema>;

const ALL = { value: 100 };

export function tracingConfig(tracing: ProxyTracing): TracingInit {
  const { tracer, samplingPercent, maxTagLength, contexts } = tracing;
  return {
    clientSampling: ALL,
    randomSampling: { value: samplingPercent },
    overallSampling: ALL,
    customTags: tagsOf(tracing),
    provider: providerOf(tracer),
    ...(maxTagLength > 0 && { maxPathTagLength: maxTagLength }),
    ...(contexts === 'dropped' && { noContextPropagation: true }),
  };
}

/** Sorted by name; one that a user names as one of ours is there twice, and Envoy takes the last. */
function tagsOf({ maker, customTags, istioTags }: ProxyTracing): Tag[] {
  const tags = [
    ...(istioTags === 'added' ? [...makerTags(maker), ...DRY_RUN_TAGS] : []),
    ...(maker.role === 'waypoint' ? PEER_TAGS : []),
    ...Object.entries(customTags).map(([tag, said]): Tag => ({ tag, type: tagType(said) })),
  ];
  return tags.toSorted((a, b) => ((a.tag ?? '') < (b.tag ?? '') ? -1 : 1));
}

function tagType(tag: CustomTag): NonNullable<Tag['type']> {
  switch (tag.kind) {
    case 'literal':
      return { case: 'literal', value: { value: tag.value } };
    case 'environment':
      return { case: 'environment', value: { name: tag.name, defaultValue: tag.default } };
    case 'header':
      return { case: 'requestHeader', value: { name: tag.name, defaultValue: tag.default } };
    case 'formatter':
      return { case: 'value', value: tag.format };
  }
}

function makerTags(maker: SpanMaker): Tag[] {
  const values: Readonly<Record<string, string>> = {
    canonical_revision: maker.canonicalRevision || 'latest',
    canonical_service: maker.canonicalService || 'unknown',
    cluster_id: maker.clusterId,
    mesh_id: maker.meshId || 'unknown',
    namespace: maker.namespace,
  };
  return Object.entries(values).map(([name, value]) => ({
    tag: `istio.${name}`,
    type: { case: 'literal', value: { value } },
  }));
}

/** What a dry run would have done; without one they are not there. */
const DRY_RUN_TAGS: readonly Tag[] = ['allow', 'deny'].flatMap((action) =>
  [
    ['name', 'effective_policy_id'],
    ['result', 'engine_result'],
  ].map(([what, key]): Tag => {
    const segment = { case: 'key' as const, value: `istio_dry_run_${action}_shadow_${key}` };
    return {
      tag: `istio.authorization.dry_run.${action}_policy.${what}`,
      type: {
        case: 'metadata',
        value: {
          kind: { kind: { case: 'request', value: {} } },
          metadataKey: { key: 'envoy.filters.http.rbac', path: [{ segment }] },
        },
      },
    };
  }),
);

/** The ends of what a waypoint passes on, by the names of their parts there and in tags. */
const PEER_TAGS: readonly Tag[] = [
  ['destination', 'upstream_peer_obj'],
  ['source', 'downstream_peer_obj'],
].flatMap(([end, state]) =>
  [
    ['app', 'app'],
    ['app_version', 'version'],
    ['canonical_revision', 'revision'],
    ['canonical_service', 'service'],
    ['cluster_id', 'cluster'],
    ['instance_name', 'name'],
    ['namespace', 'namespace'],
    ['workload', 'workload'],
    ['workload_type', 'type'],
  ].map(
    ([tag, part]): Tag => ({
      tag: `istio.${end}_${tag}`,
      type: { case: 'value', value: `%FILTER_STATE(${state}:FIELD:${part})%` },
    }),
  ),
);

function providerOf(tracer: Tracer): Extension {
  return tracer.kind === 'zipkin' ? zipkin(tracer) : openTelemetry(tracer);
}

function zipkin({ service, path, traceIdBits, contexts, timeoutMs, headers }: ZipkinTracer) {
  const { hostname, port } = service;
  return extension('envoy.tracers.zipkin', ZipkinConfigSchema, {
    traceId128bit: traceIdBits === 128,
    sharedSpanContext: false,
    collectorEndpointVersion: EndpointVersion.HTTP_JSON,
    traceContextOption:
      contexts === 'b3-and-w3c' ? TraceContext.USE_B3_WITH_W3C_PROPAGATION : TraceContext.USE_B3,
    collectorService: {
      httpUri: {
        uri: `http://${hostname}${path}`,
        httpUpstreamType: { case: 'cluster', value: outboundCluster(port, hostname) },
        timeout: duration(timeoutMs),
      },
      requestHeadersToAdd: headers.map(addedHeader),
    },
  });
}

function addedHeader([key, value]: AddedHeader): Header {
  return { header: { key, value }, appendAction: AppendAction.OVERWRITE_IF_EXISTS_OR_ADD };
}

const ENVIRONMENT = 'envoy.tracers.opentelemetry.resource_detectors.environment';

function openTelemetry({ service, transport, resources }: OpenTelemetryTracer): Extension {
  const { hostname, port } = service;
  const cluster = outboundCluster(port, hostname);
  const timeout = transport.timeoutMs === null ? {} : { timeout: duration(transport.timeoutMs) };
  return extension('envoy.tracers.opentelemetry', OpenTelemetryConfigSchema, {
    ...(transport.kind === 'grpc'
      ? {
          grpcService: {
            targetSpecifier: {
              case: 'envoyGrpc',
              value: { clusterName: cluster, authority: hostname },
            },
            ...timeout,
            initialMetadata: transport.metadata.map(([key, value]) => ({ key, value })),
          },
        }
      : {
          httpService: {
            httpUri: {
              uri: joined(hostname, transport.path),
              httpUpstreamType: { case: 'cluster', value: cluster },
              ...timeout,
            },
            requestHeadersToAdd: transport.headers.map(addedHeader),
          },
        }),
    ...(resources === 'of-the-environment' && {
      resourceDetectors: [
        { name: ENVIRONMENT, typedConfig: packed(EnvironmentResourceDetectorConfigSchema) },
      ],
    }),
  });
}

/** As recorded the address has no scheme. */
function joined(hostname: string, path: string): string {
  return path === '' ? hostname : `${hostname}/${path.replace(/^\/+/, '')}`;
}
