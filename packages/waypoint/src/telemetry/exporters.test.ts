import { expect, test } from 'vitest';
import { Breakers } from '../clusters/breakers.ts';
import { Cluster } from '../clusters/cluster.ts';
import { Host } from '../clusters/host.ts';
import { TimerWheel } from '../request/timer-wheel.ts';
import { logCollector } from '../tracing/otlp.ts';
import { ConnectionPool } from '../upstream/connection-pool.ts';
import { Exporters } from './exporters.ts';

const KIB = 1024;
const ADDRESS = { cluster: 'logs', authority: 'logs', path: '', headers: [], timeoutMs: 300 };
const NODE = { id: 'n', serviceName: 's', ip: '10.0.0.1', environment: {} };

/** Of a collector that no connection comes through to. */
function silentCluster(): Cluster {
  const pool = new ConnectionPool({
    dial: () => new Promise(() => undefined),
    breakers: new Breakers(),
    lifetimes: () => ({ maxRequests: 0, idleMs: 0, maxAgeMs: 0, maxStreams: 0 }),
  });
  const host = new Host({ kind: 'plain', ip: '10.0.0.9', port: 80 }, pool);
  const cluster = new Cluster('logs', new Breakers(), { random: () => 0, nowMs: () => 0 });
  cluster.setBalancing({
    balancer: { kind: 'random' },
    localities: 'merged',
    panicPercent: 0,
  });
  const priorities = [[{ weight: 0, hosts: [host] }]];
  cluster.setHosts({ priorities, overprovisioningPercent: 140 });
  return cluster;
}

/** Sends records of so many bytes each; what was put into questions, in bytes, and how many were lost. */
function exporting(count: number, bytes: number) {
  const questions: number[] = [];
  let lost = 0;
  const cluster = silentCluster();
  const exporters = new Exporters({
    node: NODE,
    clusters: { get: () => cluster },
    timers: new TimerWheel(),
    onLoss: (_cluster, items) => {
      lost += items;
    },
  });
  const collector = logCollector(ADDRESS);
  const watched: typeof collector = {
    ...collector,
    questionOf: (items, node) => {
      const question = collector.questionOf(items, node);
      questions.push(question.body.length);
      return question;
    },
  };
  const record = { timeMs: 0, body: 'x'.repeat(bytes), attributes: [], traceId: null };
  for (let i = 0; i < count; i++) exporters.send(watched, record);
  return { questions, lost: () => lost };
}

test('what waits for a collector that does not answer is bounded in bytes, and what is beyond is lost', async () => {
  const { questions, lost } = exporting(1_000, 60 * KIB);
  await expect.poll(lost, { timeout: 10_000 }).toBe(1_000);
  // One question was under way, and 8 MiB waited.
  expect(questions.reduce((sum, size) => sum + size, 0)).toBeLessThan(10 * KIB * KIB);
});

test('a batch of large records stays below what gRPC takes', async () => {
  const { questions, lost } = exporting(100, 60 * KIB);
  await expect.poll(lost, { timeout: 10_000 }).toBe(100);
  expect(Math.max(...questions)).toBeLessThan(2 * KIB * KIB);
});
