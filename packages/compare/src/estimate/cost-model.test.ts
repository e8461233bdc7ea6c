import { describe, expect, test } from 'vitest';
import { NODES, SAMPLES } from '../measure/samples.fixture.ts';
import { breakEvenPods, type ClusterSize, costModel, fitCosts, needOf } from './cost-model.ts';
import { parsePrices, project } from './projection.ts';

const CLUSTER: ClusterSize = { nodes: 40, podsPerNode: 30, rps: 1000, waypoints: 2 };

describe('the cost model', () => {
  const costs = fitCosts(SAMPLES, NODES);

  test('finds what a node, a pod and a request cost, with residuals of nothing', () => {
    const sidecar = costs.find(({ mode }) => mode === 'sidecar');
    expect(sidecar?.memoryMiB.perInstance).toBeCloseTo(25);
    expect(sidecar?.memoryMiB.perPod).toBeCloseTo(16);
    expect(sidecar?.cpuMillis.perRps).toBeCloseTo(0.6);
    for (const { observed, fitted } of sidecar!.memoryResiduals) {
      expect(fitted).toBeCloseTo(observed);
    }
  });

  test('adds the waypoints to the node proxies', () => {
    const need = needOf(costs, 'waypoint', CLUSTER);
    expect(need?.memoryMiB).toBeCloseTo(40 * 100 + 1200 * 0.5 + 2 * 120, 3);
    expect(need?.cpuMillis).toBeCloseTo(40 * 2 + 1000 * 0.3 + 2 * 3 + 1000 * 0.25, 3);
  });

  test('knows from how many pods per node on ambient mode needs less memory', () => {
    // 100 − 25 are paid once, 16 − 0.5 for each pod.
    expect(breakEvenPods(costs, 'ambient', NODES)).toBeCloseTo(75 / 15.5);
    // And one waypoint for both nodes.
    expect(breakEvenPods(costs, 'waypoint', NODES)).toBeCloseTo((75 + 120 / 2) / 15.5);
    const model = costModel(SAMPLES, NODES, 'a test');
    expect(model?.breakEven[0]?.podsPerNode?.value).toBeCloseTo(75 / 15.5);
  });

  test('says nothing from one size', () => {
    const small = SAMPLES.filter(({ pods }) => pods === 4);
    expect(costModel(small, NODES, 'a test')).toBeNull();
  });

  test('never breaks even where a pod costs as much as a sidecar', () => {
    const dear = costs.map((cost) => ({
      ...cost,
      memoryMiB: { perInstance: 100, perPod: 16, perRps: 0 },
    }));
    expect(breakEvenPods(dear, 'ambient', NODES)).toBeNaN();
  });
});

test('a projection has a price where prices are given', () => {
  const model = costModel(SAMPLES, NODES, 'a test')!;
  const prices = parsePrices({ currency: 'EUR', vcpuMonth: 20, gibMonth: 3 });
  const [sidecar] = project(model, CLUSTER, prices).modes;
  expect(sidecar?.memoryGiB).toBeCloseTo((40 * 25 + 1200 * 16) / 1024, 3);
  expect(sidecar?.costPerMonth).toBeCloseTo(3 * sidecar!.memoryGiB + 20 * sidecar!.cpuCores, 3);
  expect(project(model, CLUSTER, null).modes[0]?.costPerMonth).toBeNull();
});

test.for([
  { file: null, says: 'currency' },
  { file: { currency: 'EUR', vcpuMonth: '20' }, says: 'vcpuMonth' },
  { file: { currency: 'EUR', vcpuMonth: 20, gibMonth: -1 }, says: 'gibMonth' },
])('the price file $file is refused by the name of what is wrong', ({ file, says }) => {
  expect(() => parsePrices(file)).toThrow(says);
});
