/** Spans and records of logs as OpenTelemetry takes them: OTLP over gRPC, or protobuf over HTTP. */
import { getHeader } from '@aquifer/http';
import { ExportLogsServiceRequestSchema } from '@aquifer/wire/gen/opentelemetry/proto/collector/logs/v1_pb';
import { ExportTraceServiceRequestSchema } from '@aquifer/wire/gen/opentelemetry/proto/collector/trace/v1_pb';
import {
  Span_SpanKind as SpanKind,
  Status_StatusCode as StatusCode,
} from '@aquifer/wire/gen/opentelemetry/proto/trace/v1_pb';
import { create, toBinary } from '@bufbuild/protobuf';
import type { CollectorAddress } from '../compile/collector.ts';
import type { SideAnswer, SideQuestion } from '../request/side-call.ts';
import type { Collector, ProxyNode } from '../telemetry/exporters.ts';
import type { LogRecord } from '../telemetry/log-sinks.ts';
import { type Span, sizeOfSpan, sizeOfTags, type Tags } from './span.ts';

const SPANS_FLUSH_MS = 5_000;
const LOGS_FLUSH_MS = 1_000;
const PREFIX_BYTES = 5;
const SERVICES = 'opentelemetry.proto.collector';

/** What a resource says of itself besides its name. */
export type ResourceTags = (node: ProxyNode) => Tags;

/** As the OpenTelemetry specification has it: `name=value`, separated by commas, percent-encoded. */
export const OF_THE_ENVIRONMENT: ResourceTags = ({ environment }) => {
  const said = environment.OTEL_RESOURCE_ATTRIBUTES ?? '';
  return said.split(',').flatMap((pair): [string, string][] => {
    const at = pair.indexOf('=');
    return at < 1 ? [] : [[pair.slice(0, at).trim(), decoded(pair.slice(at + 1).trim())]];
  });
};

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function spanCollector(
  address: CollectorAddress,
  settings: { readonly serviceName: string; readonly resourceTags: ResourceTags | null },
): Collector<Span> {
  const isGrpc = address.path === '';
  return {
    key: `spans ${JSON.stringify([address, settings.serviceName, settings.resourceTags !== null])}`,
    cluster: address.cluster,
    timeoutMs: address.timeoutMs,
    flushMs: SPANS_FLUSH_MS,
    sizeOf: sizeOfSpan,
    questionOf: (spans, node) => {
      const name = settings.serviceName || node.serviceName;
      const own: Tags = [['service.name', name], ...SDK];
      const resource = resourceOf([...own, ...(settings.resourceTags?.(node) ?? [])]);
      const scopeSpans = [{ scope: SCOPE, spans: spans.map(otlpSpan) }];
      const request = create(ExportTraceServiceRequestSchema, {
        resourceSpans: [{ resource, scopeSpans }],
      });
      const body = toBinary(ExportTraceServiceRequestSchema, request);
      return isGrpc
        ? grpcQuestion(address, `/${SERVICES}.trace.v1.TraceService/Export`, body)
        : httpQuestion(address, body);
    },
    isTaken: isGrpc ? isGrpcOk : ({ status }) => status >= 200 && status < 300,
  };
}

export function logCollector(address: CollectorAddress): Collector<LogRecord> {
  return {
    key: `logs ${JSON.stringify(address)}`,
    cluster: address.cluster,
    timeoutMs: address.timeoutMs,
    flushMs: LOGS_FLUSH_MS,
    sizeOf: ({ body, attributes }) => body.length + sizeOfTags(attributes),
    questionOf: (records, node) => {
      const resource = resourceOf([['service.name', node.serviceName], ...SDK]);
      const request = create(ExportLogsServiceRequestSchema, {
        resourceLogs: [
          { resource, scopeLogs: [{ scope: SCOPE, logRecords: records.map(otlpLog) }] },
        ],
      });
      const body = toBinary(ExportLogsServiceRequestSchema, request);
      return grpcQuestion(address, `/${SERVICES}.logs.v1.LogsService/Export`, body);
    },
    isTaken: isGrpcOk,
  };
}

const SCOPE = { name: 'aquifer' };
const SDK: Tags = [
  ['telemetry.sdk.language', 'nodejs'],
  ['telemetry.sdk.name', 'aquifer'],
];

function resourceOf(tags: Tags) {
  // What comes last of one name is what was asked for.
  return { attributes: attributesOf([...new Map(tags)]) };
}

function attributesOf(tags: Tags) {
  return tags.map(([key, value]) => ({ key, value: textValue(value) }));
}

function textValue(value: string) {
  return { value: { case: 'stringValue' as const, value } };
}

function nanos(ms: number): bigint {
  return BigInt(Math.round(ms * 1_000)) * 1_000n;
}

function bytesOf(id: string | null): Uint8Array {
  return Buffer.from(id ?? '', 'hex');
}

function otlpSpan({ context, name, startedAtMs, durationMs, tags, outcome }: Span) {
  return {
    traceId: bytesOf(context.traceId),
    spanId: bytesOf(context.spanId),
    parentSpanId: bytesOf(context.parentId),
    traceState: context.traceState,
    name,
    kind: SpanKind.SERVER,
    startTimeUnixNano: nanos(startedAtMs),
    endTimeUnixNano: nanos(startedAtMs + durationMs),
    attributes: attributesOf(tags),
    ...(outcome === 'failed' && { status: { code: StatusCode.ERROR } }),
  };
}

function otlpLog({ timeMs, body, attributes, traceId }: LogRecord) {
  return {
    timeUnixNano: nanos(timeMs),
    body: textValue(body),
    attributes: attributesOf(attributes),
    traceId: bytesOf(traceId?.padStart(32, '0') ?? null),
  };
}

type Question = Omit<SideQuestion, 'timeoutMs'>;

function grpcQuestion(
  { authority, headers }: CollectorAddress,
  path: string,
  message: Uint8Array,
): Question {
  const body = Buffer.alloc(PREFIX_BYTES + message.length);
  body.writeUInt32BE(message.length, 1);
  body.set(message, PREFIX_BYTES);
  const own = ['content-type', 'application/grpc', 'te', 'trailers'];
  const head = { method: 'POST', scheme: 'http', authority, path, headers: [...own, ...headers] };
  return { version: 'HTTP/2', head, body };
}

function httpQuestion(
  { authority, path, headers }: CollectorAddress,
  message: Uint8Array,
): Question {
  const body = Buffer.from(message);
  const own = ['content-type', 'application/x-protobuf', 'content-length', String(body.length)];
  const head = { method: 'POST', scheme: 'http', authority, path, headers: [...own, ...headers] };
  return { version: 'HTTP/1.1', head, body };
}

function isGrpcOk({ status, headers, trailers }: SideAnswer): boolean {
  const said = getHeader(trailers, 'grpc-status') ?? getHeader(headers, 'grpc-status');
  return status === 200 && said === '0';
}
