/** How spans are made (Envoy's `HttpConnectionManager.Tracing`). */

import { joinHeader } from '@aquifer/http';
import {
  ZipkinConfig_CollectorEndpointVersion as EndpointVersion,
  type OpenTelemetryConfig,
  OpenTelemetryConfigSchema,
  ZipkinConfig_TraceContextOption as TraceContextOption,
  type ZipkinConfig,
  ZipkinConfigSchema,
} from '@aquifer/wire/gen/envoy/config/trace/v3_pb';
import type {
  HttpConnectionManager,
  HttpConnectionManager_Tracing,
} from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import { UuidRequestIdConfigSchema } from '@aquifer/wire/gen/envoy/extensions/request_id/uuid/v3_pb';
import { EnvironmentResourceDetectorConfigSchema } from '@aquifer/wire/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3_pb';
import type { CustomTag as PbTag } from '@aquifer/wire/gen/envoy/type/tracing/v3_pb';
import type { Collector, ProxyNode } from '../telemetry/exporters.ts';
import { OF_THE_ENVIRONMENT, spanCollector } from '../tracing/otlp.ts';
import type { Sampling } from '../tracing/sampling.ts';
import type { CustomTag, Span } from '../tracing/span.ts';
import type { ContextFormat } from '../tracing/trace-context.ts';
import { zipkinCollector } from '../tracing/zipkin.ts';
import { isType, unpack } from './any.ts';
import { grpcCollector, httpCollector } from './collector.ts';
import { compileText } from './line-format.ts';
import { ConfigProblem } from './problem.ts';

export interface CompiledTracing {
  readonly sampling: Sampling;
  readonly format: ContextFormat;
  /** Whether whoever is asked next hears of the span. */
  readonly contexts: 'passed-on' | 'dropped';
  /** Of traces that begin here. */
  readonly traceIdBytes: 8 | 16;
  /** Whether a span has the id that the client gave to its own (B3, "Shared Span"). */
  readonly spanIds: 'own' | 'of-the-client';
  /** How a span is called without an operation. */
  readonly unnamed: 'ingress' | 'by-authority';
  readonly maxPathLength: number;
  customTags(node: ProxyNode): readonly CustomTag[];
  readonly collector: Collector<Span>;
}

type Tracer = Pick<
  CompiledTracing,
  'format' | 'traceIdBytes' | 'spanIds' | 'unnamed' | 'collector'
>;

const MAX_PATH_LENGTH = 256;
const ALL = 100;

/** Null where nobody takes spans: then none are made. */
export function compileTracing(
  { tracing, requestIdExtension }: HttpConnectionManager,
  path: string,
): CompiledTracing | null {
  if (tracing?.provider === undefined) return null;
  const at = `${path}.tracing`;
  const tags = tracing.customTags.flatMap((tag, i) => compileTag(tag, `${at}.custom_tags[${i}]`));
  return {
    sampling: samplingOf(tracing, usesRequestId(requestIdExtension?.typedConfig, path)),
    contexts: tracing.noContextPropagation ? 'dropped' : 'passed-on',
    maxPathLength: tracing.maxPathTagLength ?? MAX_PATH_LENGTH,
    customTags: (node) => tags.map(({ name, of }) => ({ name, read: of(node) })),
    ...compileTracer(tracing.provider, `${at}.provider`),
  };
}

function samplingOf(tracing: HttpConnectionManager_Tracing, by: Sampling['by']): Sampling {
  return {
    client: tracing.clientSampling?.value ?? ALL,
    random: tracing.randomSampling?.value ?? ALL,
    overall: tracing.overallSampling?.value ?? ALL,
    by,
  };
}

type AnyConfig = Parameters<typeof unpack>[0];

function usesRequestId(any: AnyConfig, path: string): Sampling['by'] {
  if (any === undefined) return 'request-id';
  const at = `${path}.request_id_extension`;
  const { useRequestIdForTraceSampling } = unpack(any, UuidRequestIdConfigSchema, at);
  return (useRequestIdForTraceSampling ?? true) ? 'request-id' : 'tracer';
}

type Provider = NonNullable<HttpConnectionManager_Tracing['provider']>;

function compileTracer({ configType }: Provider, path: string): Tracer {
  const any = configType.value;
  return isType(any, ZipkinConfigSchema)
    ? compileZipkin(unpack(any, ZipkinConfigSchema, path), path)
    : compileOpenTelemetry(unpack(any, OpenTelemetryConfigSchema, path), path);
}

function compileZipkin(config: ZipkinConfig, path: string): Tracer {
  const { collectorEndpointVersion, traceContextOption } = config;
  if (collectorEndpointVersion !== EndpointVersion.HTTP_JSON) {
    throw new ConfigProblem(`${path}.collector_endpoint_version`, 'only HTTP_JSON is spoken');
  }
  const isDual = traceContextOption === TraceContextOption.USE_B3_WITH_W3C_PROPAGATION;
  return {
    format: isDual ? 'b3-and-w3c' : 'b3',
    traceIdBytes: config.traceId128bit ? 16 : 8,
    spanIds: (config.sharedSpanContext ?? true) ? 'of-the-client' : 'own',
    unnamed: 'by-authority',
    collector: zipkinCollector(httpCollector(config.collectorService, `${path}.collector_service`)),
  };
}

function compileOpenTelemetry(config: OpenTelemetryConfig, path: string): Tracer {
  const { grpcService, httpService, serviceName, resourceDetectors } = config;
  const address =
    httpService === undefined
      ? grpcCollector(grpcService, `${path}.grpc_service`)
      : httpCollector(httpService, `${path}.http_service`);
  for (const [i, { typedConfig }] of resourceDetectors.entries()) {
    if (!isType(typedConfig, EnvironmentResourceDetectorConfigSchema)) {
      throw new ConfigProblem(`${path}.resource_detectors[${i}]`, 'is no detector');
    }
  }
  const resourceTags = resourceDetectors.length > 0 ? OF_THE_ENVIRONMENT : null;
  return {
    format: 'w3c',
    traceIdBytes: 16,
    spanIds: 'own',
    unnamed: 'ingress',
    collector: spanCollector(address, { serviceName, resourceTags }),
  };
}

interface CompiledTag {
  readonly name: string;
  readonly of: (node: ProxyNode) => CustomTag['read'];
}

/** None for what has no value here: the outcome of a dry run. */
function compileTag({ tag: name, type }: PbTag, path: string): CompiledTag[] {
  switch (type.case) {
    case 'literal': {
      const { value } = type.value;
      return [{ name, of: () => () => value }];
    }
    case 'environment': {
      const { name: variable, defaultValue } = type.value;
      return [{ name, of: ({ environment }) => constant(environment[variable] ?? defaultValue) }];
    }
    case 'requestHeader': {
      const { name: header, defaultValue } = type.value;
      const field = header.toLowerCase();
      return [
        {
          name,
          of:
            () =>
            ({ requestHeaders }) =>
              joinHeader(requestHeaders, field) ?? defaultValue,
        },
      ];
    }
    case 'value': {
      const text = compileText(type.value, path, '');
      return [{ name, of: () => text }];
    }
    case 'metadata':
      return [];
    case undefined:
      throw new ConfigProblem(path, 'has no value');
  }
}

function constant(value: string): () => string {
  return () => value;
}
