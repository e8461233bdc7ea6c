/** Who is told what proxies carry: providers of logs, traces and metrics of the mesh's configuration (spec l7 8.3, 8.4). */
import type { Fields } from '../mesh-config-fields.ts';
import { durationMs } from '../routing/durations.ts';

/** Where a provider is; of no namespace the one service of that name is meant. */
export interface ProviderService {
  readonly namespace: string | null;
  readonly hostname: string;
  readonly port: number;
}

/** Of a line: text with commands of Envoy, or the members of an object. */
export type LineFormat =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'json'; readonly members: JsonMembers };

export interface JsonMembers {
  readonly [name: string]: JsonMember;
}
type JsonMember = string | number | boolean | null | JsonMembers | readonly JsonMember[];

export interface FileLog {
  readonly kind: 'file';
  readonly path: string;
  /** Null for what the mesh's configuration says, else the usual one. */
  readonly format: LineFormat | null;
  readonly emptyValues: 'shown' | 'omitted';
}

/** Takes entries of Envoy's access log service. */
export interface StreamedLog {
  readonly kind: 'streamed';
  readonly of: 'http' | 'tcp';
  readonly service: ProviderService;
  readonly logName: string;
  readonly filterStates: readonly string[];
  readonly requestHeaders: readonly string[];
  readonly responseHeaders: readonly string[];
  readonly responseTrailers: readonly string[];
}

/** Takes records of OpenTelemetry. */
export interface RecordLog {
  readonly kind: 'records';
  readonly service: ProviderService;
  readonly logName: string;
  /** Empty for the usual line. */
  readonly text: string;
  readonly labels: Readonly<Record<string, string>>;
}

export type LogProvider = FileLog | StreamedLog | RecordLog;

/** `name: value` of a request to a provider. */
export type AddedHeader = readonly [name: string, value: string];

interface TracerBase {
  readonly service: ProviderService;
  /** 0 for what the mesh's configuration says. */
  readonly maxTagLength: number;
}

export interface ZipkinTracer extends TracerBase {
  readonly kind: 'zipkin';
  readonly path: string;
  readonly traceIdBits: 64 | 128;
  readonly contexts: 'b3' | 'b3-and-w3c';
  readonly timeoutMs: number;
  readonly headers: readonly AddedHeader[];
}

export interface OpenTelemetryTracer extends TracerBase {
  readonly kind: 'opentelemetry';
  /** Null timeouts are none. */
  readonly transport:
    | {
        readonly kind: 'grpc';
        readonly timeoutMs: number | null;
        readonly metadata: readonly AddedHeader[];
      }
    | {
        readonly kind: 'http';
        readonly path: string;
        readonly timeoutMs: number | null;
        readonly headers: readonly AddedHeader[];
      };
  readonly resources: 'fixed' | 'of-the-environment';
}

export type Tracer = ZipkinTracer | OpenTelemetryTracer;

export type TelemetryProvider =
  | LogProvider
  | Tracer
  | { readonly kind: 'prometheus' }
  /** Of a kind that proxies of this mesh do not speak to. */
  | {
      readonly kind: 'unsupported';
      readonly type: string;
      readonly service: ProviderService | null;
    };

const STDOUT = '/dev/stdout';

/** Those that every mesh has, unless its configuration has others of the name. */
export const BUILT_IN: Readonly<Record<string, TelemetryProvider>> = {
  prometheus: { kind: 'prometheus' },
  envoy: { kind: 'file', path: STDOUT, format: null, emptyValues: 'shown' },
};

const UNSUPPORTED = ['lightstep', 'datadog', 'opencensus', 'skywalking', 'stackdriver', 'sds'];

type Reader = (fields: Fields) => TelemetryProvider;

const READERS: Readonly<Record<string, Reader>> = {
  prometheus: () => ({ kind: 'prometheus' }),
  envoyFileAccessLog: (fields) => ({
    kind: 'file',
    path: fields.text('path') ?? STDOUT,
    format: lineFormat(fields.object('logFormat')),
    emptyValues: fields.flag('omitEmptyValues') ? 'omitted' : 'shown',
  }),
  envoyHttpAls: (fields) => streamedLog(fields, 'http'),
  envoyTcpAls: (fields) => streamedLog(fields, 'tcp'),
  envoyOtelAls: (fields) => {
    const format = fields.object('logFormat');
    const labels = Object.entries(format?.object('labels')?.all() ?? {});
    return {
      kind: 'records',
      service: providerService(fields),
      logName: fields.text('logName') ?? 'otel_envoy_accesslog',
      text: format?.text('text') ?? '',
      labels: Object.fromEntries(labels.map(([name, value]) => [name, String(value)])),
    };
  },
  zipkin: (fields) => ({
    kind: 'zipkin',
    service: providerService(fields),
    maxTagLength: fields.number('maxTagLength') ?? 0,
    path: fields.text('path') ?? '/api/v2/spans',
    traceIdBits: fields.flag('enable64bitTraceId') ? 64 : 128,
    contexts:
      fields.text('traceContextOption') === 'USE_B3_WITH_W3C_PROPAGATION' ? 'b3-and-w3c' : 'b3',
    timeoutMs: durationMs(fields.text('timeout') ?? '5s'),
    headers: addedHeaders(fields, 'headers'),
  }),
  opentelemetry: (fields) => {
    const detectors = fields.object('resourceDetectors');
    return {
      kind: 'opentelemetry',
      service: providerService(fields),
      maxTagLength: fields.number('maxTagLength') ?? 0,
      transport: transportOf(fields),
      resources: detectors?.object('environment') ? 'of-the-environment' : 'fixed',
    };
  },
  ...Object.fromEntries(
    UNSUPPORTED.map((type): [string, Reader] => [
      type,
      (fields) => ({
        kind: 'unsupported',
        type,
        service: fields.text('service') === null ? null : providerService(fields),
      }),
    ]),
  ),
};

/** Null for one that has nothing to do with telemetry. */
export function telemetryProvider(provider: Fields): TelemetryProvider | null {
  for (const [type, read] of Object.entries(READERS)) {
    const fields = provider.object(type);
    if (fields !== null) return read(fields);
  }
  return null;
}

/** `namespace/hostname`, or a hostname alone. */
export function providerService(fields: Fields): ProviderService {
  const [first = '', second] = (fields.text('service') ?? '').split('/');
  const port = fields.number('port') ?? 0;
  return second === undefined
    ? { namespace: null, hostname: first, port }
    : { namespace: first, hostname: second, port };
}

/** Null for one that is not in the network of services. */
export function serviceOfProvider(provider: TelemetryProvider): ProviderService | null {
  return 'service' in provider ? provider.service : null;
}

function streamedLog(fields: Fields, of: StreamedLog['of']): StreamedLog {
  return {
    kind: 'streamed',
    of,
    service: providerService(fields),
    logName: fields.text('logName') ?? `${of}_envoy_accesslog`,
    filterStates: fields.texts('filterStateObjectsToLog'),
    requestHeaders: fields.texts('additionalRequestHeadersToLog'),
    responseHeaders: fields.texts('additionalResponseHeadersToLog'),
    responseTrailers: fields.texts('additionalResponseTrailersToLog'),
  };
}

function lineFormat(fields: Fields | null): LineFormat | null {
  if (fields === null) return null;
  const labels = fields.object('labels');
  if (labels !== null) return { kind: 'json', members: membersOf(labels) };
  return { kind: 'text', text: fields.text('text') ?? '' };
}

/** YAML has values that JSON lacks, such as dates: they are text. */
function membersOf(labels: Fields): JsonMembers {
  return JSON.parse(JSON.stringify(labels.all())) as JsonMembers;
}

function transportOf(fields: Fields): OpenTelemetryTracer['transport'] {
  const http = fields.object('http');
  const grpc = fields.object('grpc');
  if (http !== null) {
    return {
      kind: 'http',
      path: http.text('path') ?? '',
      timeoutMs: timeoutOf(http),
      headers: addedHeaders(http, 'headers'),
    };
  }
  return {
    kind: 'grpc',
    timeoutMs: grpc && timeoutOf(grpc),
    metadata: grpc === null ? [] : addedHeaders(grpc, 'initialMetadata'),
  };
}

function timeoutOf(fields: Fields): number | null {
  const text = fields.text('timeout');
  return text === null ? null : durationMs(text);
}

/** A header that takes its value from the environment of the control plane has none: nobody reads that there. */
function addedHeaders(fields: Fields, name: string): AddedHeader[] {
  return fields
    .list(name)
    .map((header) => [header.text('name') ?? '', header.text('value') ?? ''] as const);
}
