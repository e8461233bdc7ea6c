import { describe, expect, test } from 'vitest';
import type { Mode } from './modes.ts';
import { compareModes, type ModeSamples, reportNotes, reportRows } from './report.ts';

const SETTINGS = { pods: 4, rate: 1000, rounds: 2, secondsPerRound: 1 };

function measured(...cpuSeconds: number[]): ModeSamples {
  const rounds = cpuSeconds.map((seconds) => ({
    cpuSeconds: seconds,
    memoryKiB: seconds * 1024 * 1000,
    requests: 1000,
    errors: 0,
    p50Ms: 1,
    p99Ms: 2,
  }));
  return { kind: 'measured', rounds };
}

describe('a comparison', () => {
  const report = compareModes(
    SETTINGS,
    new Map<Mode, ModeSamples>([
      ['ambient', measured(0.02, 0.06)],
      ['sidecar', measured(0.2, 0.2)],
      ['none', measured(0, 0)],
    ]),
  );

  test('gives processor time per request, and its ratio to the sidecars of the same round', () => {
    const ambient = report.modes.find(({ mode }) => mode === 'ambient')?.quantities;
    expect(ambient?.cpuMicrosPerRequest).toMatchObject({ median: 40, min: 20, max: 60 });
    expect(ambient?.cpuMicrosPerRequest.ratioToSidecars?.samples).toEqual([
      expect.closeTo(0.1),
      expect.closeTo(0.3),
    ]);
  });

  test('lists modes in the order of the report, with their spread where rounds differ', () => {
    const { header, rows } = reportRows(report);
    expect(header).toEqual(['', 'no mesh', 'Envoy sidecars', 'ambient L4']);
    expect(rows.slice(0, 2)).toEqual([
      ['proxy CPU, µs per request', '0', '200', '40 (20–60)'],
      ['  ratio to sidecars', '× 0.00', '', '× 0.20 (0.10–0.30)'],
    ]);
    expect(reportNotes(report)).toEqual([]);
  });
});

test('without sidecars there are no ratios, and the column says why', () => {
  const report = compareModes(
    SETTINGS,
    new Map<Mode, ModeSamples>([
      ['sidecar', { kind: 'unavailable', reason: 'envoy is not installed' }],
      ['ambient', measured(0.1)],
    ]),
  );
  expect(report.modes[1]?.quantities?.memoryMiB.ratioToSidecars).toBeNull();
  expect(reportRows(report).rows.slice(0, 2)).toEqual([
    ['proxy CPU, µs per request', 'not measured', '100'],
    ['proxy memory, MiB', 'not measured', '100'],
  ]);
  expect(reportNotes(report)).toEqual([
    'Envoy sidecars: not measured, because envoy is not installed',
  ]);
});
