import type { Service } from '@aquifer/model';
import { createLogger } from '@aquifer/runtime';
import { expect, test } from 'vitest';
import { aService, aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { TRAFFIC_LABELS } from '../telemetry/labels.ts';
import { TrafficReadings, TrafficTotals } from '../telemetry/traffic-totals.ts';
import { ConnectionRecord, type RecordedConnection } from './connection-record.ts';

const source = aWorkload({ name: 'client', addresses: ['10.0.0.1'] });
const destination = aWorkload({ name: 'server', addresses: ['10.0.0.2'] });
const OUTBOUND: RecordedConnection = {
  reporter: 'source',
  client: { ip: '10.0.0.1', port: 40_000 },
  dst: { ip: '10.0.0.2', port: 15_008 },
  hboneAuthority: '10.0.0.2:8080',
  source,
  sourceIdentity: source,
  destination,
  destinationIdentity: destination,
  service: null,
  isMutualTls: true,
};

function observe() {
  const lines: string[] = [];
  const write = (text: string) => lines.push(text);
  const access = createLogger('access', { format: 'plain', levels: 'debug', write });
  const readings = new TrafficReadings();
  const totals = new TrafficTotals(readings.openSockets, (series) => readings.add(series));
  const sum = (label: (typeof TRAFFIC_LABELS)[number], value: string) => {
    const at = TRAFFIC_LABELS.indexOf(label);
    const series = readings.series.filter(({ labels }) => labels[at] === value);
    return series.reduce((count, one) => count + one.totals.closed, 0);
  };
  return { lines, deps: { access, totals }, sum };
}

test('a connection is logged when it opens and, with its bytes, when it ends', () => {
  const { lines, deps } = observe();
  const record = new ConnectionRecord(OUTBOUND, deps);
  record.received(5);
  record.sent(7);
  record.close({ flag: '-', error: null });
  const peers =
    'src.addr=10.0.0.1:40000 src.workload="client" src.namespace="shop" ' +
    'src.identity="spiffe://cluster.local/ns/shop/sa/client" src.cluster="Kubernetes" ' +
    'dst.addr=10.0.0.2:15008 dst.hbone_addr=10.0.0.2:8080 dst.workload="server" ' +
    'dst.namespace="shop" dst.identity="spiffe://cluster.local/ns/shop/sa/server" ' +
    'dst.cluster="Kubernetes" direction="outbound"';
  expect(lines.map((line) => line.trimEnd().split('\t').slice(3))).toEqual([
    ['connection opened', peers],
    [
      'connection complete',
      expect.stringMatching(/ bytes_sent=5 bytes_recv=7 duration="\d+ms"$/) as string,
    ],
  ]);
  expect(lines[1]).toContain(peers);
});

test('a line about unknown peers leaves their fields out', () => {
  const { lines, deps } = observe();
  const unknown = {
    ...{ ...OUTBOUND, source: null, destination: null, destinationIdentity: null },
    isMutualTls: false,
  };
  const record = new ConnectionRecord({ ...unknown, hboneAuthority: null }, deps);
  record.close({ flag: 'DENY', error: 'no "way"', policy: 'shop/none' });
  expect(lines[0]).toContain('\tsrc.addr=10.0.0.1:40000 dst.addr=10.0.0.2:15008 direction=');
  expect(lines[1]).toMatch(/ policy="shop\/none" error="no \\"way\\""\n$/);
});

test('the policy that decided is named once', () => {
  const { lines, deps } = observe();
  const error = 'connection closed due to policy rejection: explicitly denied by: shop/no-9090';
  new ConnectionRecord(OUTBOUND, deps).close({ flag: 'DENY', error, policy: 'shop/no-9090' });
  expect(lines[1]).toMatch(/ duration="\d+ms" error="/);
  expect(lines[1]).toContain(` error="${error}"`);
  expect(lines[1]).not.toContain(' policy=');
});

test('connections with one workload are counted apart by service and by how they ended', () => {
  const { deps, sum } = observe();
  const services: (Service | null)[] = [null, aService({ name: 'a', vip: '10.96.0.1' }), null];
  for (const service of services) {
    new ConnectionRecord({ ...OUTBOUND, service }, deps).close({ flag: '-', error: null });
  }
  new ConnectionRecord(OUTBOUND, deps).close({ flag: 'CONNECT', error: 'refused' });
  expect(sum('destination_service_name', 'a')).toBe(1);
  expect(sum('destination_service_name', 'unknown')).toBe(3);
  expect(sum('response_flags', '-')).toBe(3);
  expect(sum('response_flags', 'CONNECT')).toBe(1);
});

test('a workload that was replaced is counted with its new labels', () => {
  const { deps, sum } = observe();
  const moved = aWorkload({ name: 'server', addresses: ['10.0.0.2'], clusterId: 'second' });
  for (const seen of [destination, moved, destination]) {
    const connection = { ...OUTBOUND, destination: seen };
    new ConnectionRecord(connection, deps).close({ flag: '-', error: null });
  }
  expect(sum('destination_cluster', 'second')).toBe(1);
  expect(sum('destination_cluster', 'Kubernetes')).toBe(2);
});

test('who is behind a gateway is counted and shown, from the opening on, as they say and have proven', () => {
  const { lines, deps, sum } = observe();
  const record = new ConnectionRecord({ ...OUTBOUND, isBeyondGateway: true }, deps);
  expect(lines).toEqual([]);
  const beyond = aWorkload({ name: 'beyond', workloadName: 'beyond', clusterId: 'far' });
  record.learn({ ...beyond, serviceAccount: 'proven' }, beyond);
  record.close({ flag: '-', error: null });
  for (const line of lines) {
    expect(line).toContain('dst.workload="beyond"');
    expect(line).toContain('dst.identity="spiffe://cluster.local/ns/shop/sa/proven"');
  }
  expect(lines).toHaveLength(2);
  expect(sum('destination_cluster', 'far')).toBe(1);
  expect(sum('destination_cluster', 'Kubernetes')).toBe(0);
});

test('a gateway that was not reached is what is counted', () => {
  const { lines, deps, sum } = observe();
  const record = new ConnectionRecord({ ...OUTBOUND, isBeyondGateway: true }, deps);
  record.close({ flag: 'CONNECT', error: 'refused' });
  expect(lines).toHaveLength(2);
  expect(sum('destination_workload', destination.workloadName)).toBe(1);
});
