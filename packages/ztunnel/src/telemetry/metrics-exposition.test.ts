import { readFileSync } from 'node:fs';
import { createLogger } from '@aquifer/runtime';
import { expect, test } from 'vitest';
import { aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { ConnectionRecord } from '../connections/connection-record.ts';
import type { ResponseFlag } from './labels.ts';
import { ControlMetrics, exposeMetrics } from './metrics-exposition.ts';
import { TrafficReadings, TrafficTotals } from './traffic-totals.ts';

const path = '../../../../test/fixtures/golden/ztunnel/server.metrics.txt';
const recorded = readFileSync(new URL(path, import.meta.url), 'utf8').split('\n');

/** What the recorded server proxy saw: four connections that went well, of which one is still open, and three that did not. */
function recordedTraffic(): TrafficReadings {
  const readings = new TrafficReadings();
  const totals = totalsOf(readings);
  const access = createLogger('access', { format: 'plain', levels: 'off' });
  const locality = { region: 'r1', zone: 'z1', subzone: '' };
  const source = aWorkload({ name: 'client', canonicalRevision: 'v1', locality });
  const destination = aWorkload({ name: 'server', canonicalRevision: 'v2' });
  const open = () =>
    new ConnectionRecord(
      {
        reporter: 'destination',
        client: { ip: '10.77.0.2', port: 56_746 },
        dst: { ip: '10.77.0.3', port: 15_008 },
        hboneAuthority: '10.77.0.3:8080',
        source,
        sourceIdentity: source,
        destination,
        destinationIdentity: destination,
        service: null,
        isMutualTls: true,
      },
      { access, totals },
    );
  const endings: readonly [ResponseFlag | null, number, number][] = [
    ['-', 78, 160],
    ['-', 73, 160],
    ['DENY', 0, 0],
    ['CONNECT', 0, 0],
    ['-', 73, 160],
    ['CONNECT', 0, 0],
    [null, 27, 160],
  ];
  for (const [flag, received, sent] of endings) {
    const record = open();
    record.received(received);
    record.sent(sent);
    if (flag !== null) record.close({ flag, error: null });
  }
  for (let i = 0; i < 2; i++) totals.openSockets.add('destination', 1);
  return readings;
}

/** A thread's counters, and what the main thread reads of them. */
function totalsOf(readings: TrafficReadings): TrafficTotals {
  return new TrafficTotals(readings.openSockets, (series) => readings.add(series));
}

/** Names, help, types and samples, without numbers that depend on the machine. */
function comparable(lines: readonly string[]): string[] {
  return lines
    .filter((line) => !line.includes('tokio') && line !== '')
    .map((line) => line.replace(/^(process_\w+) \d+$/, '$1'));
}

test('families come in the order, with the words and with the samples of the recorded ztunnel (C261, C264)', async () => {
  const text = await exposeMetrics(new ControlMetrics('unknown'), recordedTraffic(), []);
  const ours = comparable(text.split('\n'));
  const theirs = comparable(recorded);
  const families = (lines: readonly string[]) => lines.filter((line) => line.startsWith('#'));
  expect(families(ours)).toEqual(families(theirs));
  expect(ours.toSorted()).toEqual(theirs.toSorted());
});

test('a connection without bytes has its byte counters at zero', async () => {
  const readings = new TrafficReadings();
  const totals = totalsOf(readings);
  const peers = {
    reporter: 'source',
    source: aWorkload({ name: 'client' }),
    sourceIdentity: null,
    destination: null,
    destinationIdentity: null,
    service: null,
    isMutualTls: false,
  } as const;
  totals.bind(peers, '-').opened += 1;
  const text = await exposeMetrics(new ControlMetrics('unknown'), readings, []);
  expect(text).toMatch(/^istio_tcp_sent_bytes_total\{reporter="source",.*\} 0$/m);
  expect(text).toContain('istio_tcp_sockets_open{reporter="source"} 0\n');
  expect(text).not.toContain('reporter="destination"');
});

test('revoked peers are counted by the side that refused them (C166)', async () => {
  const metrics = new ControlMetrics('unknown');
  expect(await exposeMetrics(metrics, new TrafficReadings(), [])).not.toContain('istio_crl');
  metrics.revocationRejections.inc({ reporter: 'source' });
  metrics.revocationUntracked.inc({ reporter: 'destination' });
  const text = await exposeMetrics(metrics, new TrafficReadings(), []);
  expect(text).toContain('istio_crl_policy_rejections_total{reporter="source"} 1\n');
  expect(text).toContain('istio_crl_untracked_connections_total{reporter="destination"} 1\n');
});
