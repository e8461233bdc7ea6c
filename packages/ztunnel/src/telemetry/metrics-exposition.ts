import { readdirSync, readFileSync } from 'node:fs';
import { DROPPED_LINES_METRIC, droppedLogLines } from '@aquifer/runtime';
import { Counter, Gauge, Registry } from 'prom-client';
import type { DnsReadings } from '../dns/dns-totals.ts';
import { addDns } from './dns-exposition.ts';
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
    name: 'istio_tcp_received_bytes',
    help: 'The size of total bytes received during request in case of a TCP connection.',
    field: 'receivedBytes',
  },
  {
    name: 'istio_tcp_sent_bytes',
    help: 'The size of total bytes sent during response in case of a TCP connection.',
    field: 'sentBytes',
  },
  {
    name: 'istio_tcp_connections_failed',
    help: 'The total number of TCP connections that failed to establish (unstable).',
    field: 'failed',
  },
];

/** Counters that the main thread keeps by itself. */
export class ControlMetrics {
  readonly registry: Registry = new Registry();
  readonly xdsTerminations: Counter<'reason'>;
  readonly xdsMessages: Counter<'url'>;
  readonly xdsBytes: Counter<'url'>;
  readonly revocationRejections: Counter<'reporter'>;
  readonly revocationUntracked: Counter<'reporter'>;

  constructor(tag: string) {
    this.#gauge('process_open_fds', 'Number of open file descriptors', openFileDescriptors);
    this.#gauge('process_max_fds', 'Maximum number of file descriptors', maxFileDescriptors);
    const build = new Gauge({
      name: 'istio_build',
      help: 'Istio component build info.',
      labelNames: ['component', 'tag'],
      registers: [this.registry],
    });
    build.set({ component: 'ztunnel', tag }, 1);
    this.xdsTerminations = this.#counter(
      'istio_xds_connection_terminations_total',
      'The total number of completed connections to xds server (unstable).',
      ['reason'],
    );
    this.xdsMessages = this.#counter(
      'istio_xds_message_total',
      'Total number of messages received (unstable).',
      ['url'],
    );
    this.xdsBytes = this.#counter(
      'istio_xds_message_bytes_total',
      'Total number of bytes received (unstable).',
      ['url'],
    );
    this.revocationRejections = this.#counter(
      'istio_crl_policy_rejections_total',
      'The total number of connections refused or ended because their peer is revoked (unstable).',
      ['reporter'],
    );
    this.revocationUntracked = this.#counter(
      'istio_crl_untracked_connections_total',
      'The total number of connections that a later revocation cannot find (unstable).',
      ['reporter'],
    );
    new Counter({
      ...DROPPED_LINES_METRIC,
      registers: [this.registry],
      collect() {
        const lines = droppedLogLines();
        this.reset();
        // A family is shown once it has a sample.
        if (lines === 0) this.remove();
        else this.inc(lines);
      },
    });
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

/** ztunnel shows a family once it has a sample. */
const FAMILY_WITHOUT_SAMPLES = /# HELP .*\n# TYPE .*\n(?=# )/g;

/** All metrics as OpenMetrics text, made when somebody scrapes (spec ztunnel 9.1). */
export async function exposeMetrics(
  control: ControlMetrics,
  traffic: TrafficSnapshot,
  dns: readonly DnsReadings[],
): Promise<string> {
  const registry = new Registry();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  control.registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  addTraffic(registry, traffic);
  addOpenSockets(registry, traffic);
  addDns(registry, dns);
  const texts = await Promise.all([control.registry.metrics(), registry.metrics()]);
  const text = `${texts.map((part) => part.replace(/# EOF\n?$/, '')).join('')}# EOF\n`;
  return text.replaceAll(FAMILY_WITHOUT_SAMPLES, '');
}

function addTraffic(registry: Registry, { series }: TrafficSnapshot): void {
  for (const { name, help, field } of TRAFFIC_FAMILIES) {
    const counter = new Counter({
      name: `${name}_total`,
      help,
      labelNames: TRAFFIC_LABELS,
      registers: [registry],
    });
    for (const { labels, totals } of series) {
      if (isShown(field, totals)) counter.inc(namedLabels(labels), totals[field]);
    }
  }
}

/** Bytes are counted from the opening of a connection on, even if none follow. */
function isShown(field: keyof Totals, totals: Totals): boolean {
  const countsBytes = field === 'receivedBytes' || field === 'sentBytes';
  return totals[field] > 0 || (countsBytes && totals.opened > 0);
}

function addOpenSockets(registry: Registry, { openSockets, series }: TrafficSnapshot): void {
  const gauge = new Gauge({
    name: 'istio_tcp_sockets_open',
    help: 'The current number of open TCP sockets (unstable).',
    labelNames: ['reporter'],
    registers: [registry],
  });
  for (const reporter of ['source', 'destination'] as const) {
    const wasUsed =
      openSockets[reporter] > 0 || series.some(({ labels }) => labels[0] === reporter);
    if (wasUsed) gauge.set({ reporter }, openSockets[reporter]);
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
