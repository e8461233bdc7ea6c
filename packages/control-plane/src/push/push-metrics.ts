/** What the discovery server counts; names are Istio's (pilot metrics). */
import { DROPPED_LINES_METRIC, droppedLogLines } from '@aquifer/runtime';
import { Counter, Gauge, type Registry } from 'prom-client';

export interface PushMetrics {
  connected(count: number): void;
  pushed(typeUrl: string, resources: number): void;
  rejected(typeUrl: string): void;
}

export function createPushMetrics(registry: Registry): PushMetrics {
  const registers = [registry];
  const connections = new Gauge({
    name: 'pilot_xds',
    help: 'Number of proxies connected to this control plane.',
    registers,
  });
  const pushes = new Counter({
    name: 'pilot_xds_pushes',
    help: 'Responses sent to proxies, by resource type.',
    labelNames: ['type'],
    registers,
  });
  const resources = new Counter({
    name: 'aquifer_xds_resources_sent_total',
    help: 'Resources sent to proxies, by resource type.',
    labelNames: ['type'],
    registers,
  });
  const rejections = new Counter({
    name: 'pilot_total_xds_rejects',
    help: 'Responses that proxies rejected (NACK), by resource type.',
    labelNames: ['type'],
    registers,
  });
  new Counter({
    ...DROPPED_LINES_METRIC,
    registers,
    collect() {
      this.reset();
      this.inc(droppedLogLines());
    },
  });
  return {
    connected: (count) => connections.set(count),
    pushed: (type, count) => {
      pushes.inc({ type });
      resources.inc({ type }, count);
    },
    rejected: (type) => rejections.inc({ type }),
  };
}
