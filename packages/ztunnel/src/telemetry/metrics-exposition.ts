import { readdirSync, readFileSync } from 'node:fs';
import { Counter, Gauge, Registry } from 'prom-client';
import { TRAFFIC_LABELS } from './labels.ts';
import type { Totals, TrafficSnapshot } from './traffic-totals.ts';

/** Families of traffic counters: exposed name without `_total`, help, and the total it shows. */
const TRAFFIC_FAMILIES: readonly { name: string; help: string; field: keyof Totals }[] = [
  {
    name: 'istio_tcp_connections_opened',
    help: 'The total number of TCP connections opened.',
    field: 'opened',
  },
  {
    name: 'istio_tcp_connections_closed',
    help: 'The total number of TCP connections closed.',
    field: 'closed',
  },
  {
    name: 'istio_tcp_connections_failed',
    help: 'The total number of TCP connections that failed (unstable).',
    field: 'failed',
  },
  {
    name: 'istio_tcp_received_bytes',
    help: 'The size of total bytes received during request in case of a TCP connection.',
    field: 'receivedBytes',
  },
  {
    name: 'istio_tcp_sent_bytes',
    help: 'The size of total bytes sent during response in case of a TCP connection.',
    field: 'sentBytes',
  },
];

/** Counters that the main thread keeps by itself. */
export class ControlMetrics {
  readonly registry: Registry = new Registry();
  readonly xdsMessages: Counter<'url'> = this.#counter(
    'istio_xds_message_total',
    'Discovery responses (unstable).',
    ['url'],
  );
  readonly xdsBytes: Counter<'url'> = this.#counter(
    'istio_xds_message_bytes_total',
    'Bytes of resources in discovery responses (unstable).',
    ['url'],
  );
  readonly xdsTerminations: Counter<'reason'> = this.#counter(
    'istio_xds_connection_terminations_total',
    'Discovery streams that ended (unstable).',
    ['reason'],
  );

  constructor(tag: string) {
    const build = new Gauge({
      name: 'istio_build',
      help: 'Istio component build info.',
      labelNames: ['component', 'tag'],
      registers: [this.registry],
    });
    build.set({ component: 'ztunnel', tag }, 1);
    this.#gauge('process_open_fds', 'Number of open file descriptors.', openFileDescriptors);
    this.#gauge('process_max_fds', 'Maximum number of file descriptors.', maxFileDescriptors);
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }
}

/** All metrics as OpenMetrics text, made when somebody scrapes (spec ztunnel 9.1). */
export async function exposeMetrics(
  control: ControlMetrics,
  threads: readonly TrafficSnapshot[],
): Promise<string> {
  const registry = new Registry();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  control.registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  addTraffic(registry, threads);
  addOpenSockets(registry, threads);
  const texts = await Promise.all([control.registry.metrics(), registry.metrics()]);
  return `${texts.map((text) => text.replace(/# EOF\n?$/, '')).join('')}# EOF\n`;
}

function addTraffic(registry: Registry, threads: readonly TrafficSnapshot[]): void {
  for (const { name, help, field } of TRAFFIC_FAMILIES) {
    const counter = new Counter({
      name: `${name}_total`,
      help,
      labelNames: TRAFFIC_LABELS,
      registers: [registry],
    });
    for (const { series } of threads) {
      for (const { labels, totals } of series) {
        if (totals[field] > 0) counter.inc(namedLabels(labels), totals[field]);
      }
    }
  }
}

function addOpenSockets(registry: Registry, threads: readonly TrafficSnapshot[]): void {
  const gauge = new Gauge({
    name: 'istio_tcp_sockets_open',
    help: 'Sockets accepted and still open (unstable).',
    labelNames: ['reporter'],
    registers: [registry],
  });
  for (const { openSockets } of threads) {
    gauge.inc({ reporter: 'source' }, openSockets.source);
    gauge.inc({ reporter: 'destination' }, openSockets.destination);
  }
}

function namedLabels(values: readonly string[]): Record<string, string> {
  return Object.fromEntries(TRAFFIC_LABELS.map((name, i) => [name, values[i]!]));
}

function openFileDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

function maxFileDescriptors(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  return Number(/Max open files\s+(\d+)/.exec(limits)?.[1] ?? 0);
}
