/** Spans as Zipkin takes them: a list in JSON (Zipkin API v2). */
import type { CollectorAddress } from '../compile/collector.ts';
import type { Collector, ProxyNode } from '../telemetry/exporters.ts';
import { type Span, sizeOfSpan } from './span.ts';

const FLUSH_MS = 5_000;

export function zipkinCollector(address: CollectorAddress): Collector<Span> {
  const { cluster, authority, path, headers, timeoutMs } = address;
  return {
    key: `zipkin ${JSON.stringify(address)}`,
    cluster,
    timeoutMs,
    flushMs: FLUSH_MS,
    sizeOf: sizeOfSpan,
    questionOf: (spans, node) => {
      const body = Buffer.from(JSON.stringify(spans.map((span) => zipkinSpan(span, node))));
      const own = ['content-type', 'application/json', 'content-length', String(body.length)];
      const head = { method: 'POST', scheme: 'http', authority, path };
      return { version: 'HTTP/1.1', head: { ...head, headers: [...own, ...headers] }, body };
    },
    isTaken: ({ status }) => status >= 200 && status < 300,
  };
}

function zipkinSpan(span: Span, { serviceName, ip }: ProxyNode): object {
  const { context, name, startedAtMs, durationMs, tags } = span;
  const { traceId, spanId, parentId } = context;
  return {
    traceId,
    id: spanId,
    ...(parentId !== null && { parentId }),
    name,
    kind: 'SERVER',
    timestamp: Math.round(startedAtMs * 1_000),
    duration: Math.max(1, Math.round(durationMs * 1_000)),
    localEndpoint: { serviceName, [ip.includes(':') ? 'ipv6' : 'ipv4']: ip },
    tags: Object.fromEntries(tags),
  };
}
