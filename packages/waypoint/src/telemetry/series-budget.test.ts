import { expect, test } from 'vitest';
import { ConnectionTelemetry } from './connection-telemetry.ts';
import { MAX_SERIES } from './series-budget.ts';

const PEER = {
  principal: 'spiffe://cluster.local/ns/shop/sa/client',
  namespace: 'shop',
  canonicalName: null,
  canonicalRevision: null,
  cluster: null,
};

test('a peer that names itself anew each time costs a bounded number of series, and everything is still counted', () => {
  const telemetry = new ConnectionTelemetry();
  for (let i = 0; i < 3 * MAX_SERIES; i++) {
    telemetry.opened({
      source: { ...PEER, workload: `w-${i}` },
      destination: null,
      told: null,
      service: 'cart',
    });
  }
  const series = telemetry.snapshot();
  expect(series).toHaveLength(MAX_SERIES + 1);
  expect(series.reduce((sum, { opened }) => sum + opened, 0)).toBe(3 * MAX_SERIES);
  expect(series.at(-1)).toMatchObject({ opened: 2 * MAX_SERIES, source: { workload: null } });
});

test('so does one that has many identities', () => {
  const telemetry = new ConnectionTelemetry();
  for (let i = 0; i < 3 * MAX_SERIES; i++) {
    const source = { ...PEER, principal: `spiffe://cluster.local/ns/shop/sa/${i}`, workload: null };
    telemetry.opened({ source, destination: null, told: null, service: 'cart' });
  }
  const series = telemetry.snapshot();
  expect(series).toHaveLength(2 * MAX_SERIES + 1);
  expect(series.at(-1)).toMatchObject({ opened: MAX_SERIES, source: { principal: '' } });
});
