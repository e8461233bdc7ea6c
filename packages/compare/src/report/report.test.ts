import { describe, expect, test } from 'vitest';
import type { ComparisonRun } from '../measure/comparison.ts';
import { NODES, SAMPLES } from '../measure/samples.fixture.ts';
import { USUAL_MODES } from '../modes.ts';
import { samplesCsv } from './csv.ts';
import { actions, answers, cautions } from './findings.ts';
import { reportPage } from './page.ts';
import { reportRun } from './report.ts';
import { costTable, projectionTable, sizeTables } from './table.ts';

const RUN: ComparisonRun = {
  workload: 'shop </script> & <b>co</b>',
  settings: {
    ...{ modes: USUAL_MODES, pods: [4, 50], rates: [500] },
    ...{ secondsPerRound: 2, timeLimitSeconds: 60, seed: 1 },
  },
  environment: {
    ...{ startedAt: '2026-11-30T16:00:00.000Z', processor: 'Test', processors: 2, memoryGiB: 8 },
    ...{ kernel: '6.1', node: 'v26', nodes: NODES, loadAverage: 0.1, idleBefore: 0.95 },
  },
  sizes: [
    { pods: 4, blocks: 2, outcome: 'complete', unavailable: {}, unsettled: [] },
    { pods: 50, blocks: 2, outcome: 'not resolved', unavailable: {}, unsettled: ['ambient'] },
  ],
  samples: SAMPLES,
};
const CLUSTER = { nodes: 40, podsPerNode: 30, rps: 1000, waypoints: 2 };
const REPORT = reportRun(RUN, { command: 'aquifer compare run', cluster: CLUSTER, prices: null });

describe('a report', () => {
  const [small] = REPORT.sizes;
  const mode = (name: string) => small?.modes.find((one) => one.mode === name);

  test('has processor time per request, and its ratio to the sidecars’', () => {
    // 4 + 0.6 · 500 millicores for 500 requests a second, against 4 + 0.2 · 500.
    expect(mode('sidecar')?.rates[0]?.proxies?.value).toBeCloseTo(608);
    expect(mode('ambient')?.rates[0]?.ratioToSidecars?.value).toBeCloseTo(208 / 608);
    expect(mode('none')?.rates[0]?.ratioToSidecars).toBeNull();
  });

  test('has memory as private and of files, and what idling costs', () => {
    expect(mode('sidecar')?.memory).toMatchObject({ private: 104, file: 10, peak: 114 });
    expect(mode('ambient')?.idleMillis).toBeCloseTo(4);
  });

  test('has latencies of all blocks together', () => {
    const latencies = mode('none')?.rates[0]?.latencies;
    expect(latencies!.p50).toBeGreaterThanOrEqual(2);
    expect(latencies!.p99).toBeGreaterThanOrEqual(50);
  });

  test('says the break-even first, then the ratios, then what to keep in mind', () => {
    expect(answers(REPORT)[0]).toContain('needs less memory than sidecars from 4.8 pods per node');
    expect(answers(REPORT).at(-1)).toMatch(/With 50 pods on 2 nodes, ambient \+ waypoint needs/);
    expect(cautions(REPORT).join()).toContain('was known to 5 %: 50 pods, 2 blocks.');
    expect(cautions(REPORT).join()).toContain('had settled, with 50 pods: ambient L4.');
    expect(actions(REPORT)[0]).toContain('beyond the break-even of 4.8');
  });

  test('has a line for each part of the model, and a projection where one was asked for', () => {
    expect(costTable(REPORT)?.rows.map(([name]) => name)).toEqual([
      'Envoy sidecars: sidecars',
      'ambient L4: node proxies',
      'ambient + waypoint: node proxies',
      'ambient + waypoint: waypoint (one, not one per node)',
    ]);
    expect(projectionTable(REPORT)?.rows).toHaveLength(3);
    expect(projectionTable({ projection: null })).toBeNull();
  });

  test('leaves rows without an answer out of its tables', () => {
    const [table] = sizeTables(small!);
    expect(table?.header.slice(1)).toEqual([
      'no mesh',
      'Envoy sidecars',
      'ambient L4',
      'ambient + waypoint',
    ]);
    for (const [, ...cells] of table!.rows) expect(cells.some((cell) => cell !== '')).toBe(true);
  });
});

describe('the page', () => {
  const page = reportPage(REPORT);

  test('needs nothing from elsewhere, and runs nothing', () => {
    const addresses = page.match(/https?:\/\/[^"'\s<]+/g) ?? [];
    expect(new Set(addresses)).toEqual(new Set(['http://www.w3.org/2000/svg']));
    expect(page).not.toMatch(/<(link|img|iframe|object)\b/);
    expect(page.match(/<script\b[^>]*>/g)).toEqual([
      '<script type="application/json" id="report">',
    ]);
  });

  test('holds the whole report as JSON, whatever is in it', () => {
    const [, json = ''] = /<script[^>]*>(.*?)<\/script>/s.exec(page) ?? [];
    expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(REPORT)));
    expect(page).toContain('shop &lt;/script&gt; &amp; &lt;b&gt;co&lt;/b&gt;');
  });

  test('draws memory, processor time and latencies, the break-even marked', () => {
    expect(page.match(/role="img"/g)).toHaveLength(3);
    expect(page).toContain('break-even 4.8');
    expect(page).not.toContain('NaN');
  });

  test('of one size has no fit, and says so', () => {
    const one = {
      ...RUN,
      sizes: RUN.sizes.slice(0, 1),
      samples: SAMPLES.filter(({ pods }) => pods === 4),
    };
    const settings = { ...RUN.settings, pods: [4] };
    const report = reportRun({ ...one, settings }, { command: '', cluster: CLUSTER, prices: null });
    expect(report.costModel).toBeNull();
    expect(reportPage(report)).toContain('One size says nothing of others');
  });
});

test('the CSV has a line for each round, as many cells as names', () => {
  const [names = '', ...lines] = samplesCsv(SAMPLES).trim().split('\n');
  expect(lines).toHaveLength(SAMPLES.length);
  for (const line of lines) expect(line.split(',')).toHaveLength(names.split(',').length);
});
