import { describe, expect, test } from 'vitest';
import type { Mode } from '../modes.ts';
import { seededRandom } from '../statistics/random.ts';
import { blockRounds, isResolved, isSettled } from './plan.ts';
import type { RoundSample } from './sample.ts';

const MODES: readonly Mode[] = ['none', 'sidecar', 'ambient'];

test('a block has each mode at each rate and idle, in an order of its own that the seed decides', () => {
  const options = { pods: 4, modes: MODES, rates: [100, 500], seconds: 2 };
  const rounds = (seed: number) => {
    const random = seededRandom(seed);
    return [1, 2].flatMap((block) => blockRounds({ ...options, block }, random));
  };
  const names = (list: ReturnType<typeof rounds>) =>
    list.map(({ mode, rate }) => `${mode} ${rate}`);
  const all = names(rounds(3));
  expect(new Set(all.slice(0, 9))).toEqual(new Set(all.slice(9)));
  expect(new Set(all).size).toBe(9);
  expect(all.slice(0, 9)).not.toEqual(all.slice(9));
  expect(names(rounds(3))).toEqual(all);
});

function block(at: number, microsBy: Partial<Record<Mode, number>>): RoundSample[] {
  return MODES.map((mode) => ({
    ...{ pods: 4, block: at, order: 1, mode, rate: 500, seconds: 2, podsServed: 4, memory: {} },
    cpuMicros: {
      ...{ nodeProxy: 0, waypoint: 0, generator: 0, servers: 0 },
      sidecar: (microsBy[mode] ?? 0) * 1000,
    },
    load: { intended: 1000, succeeded: 1000, failed: 0, latencies: {}, longestLateMs: 0 },
    machine: { busy: 0, kernel: 0, softirq: 0, foreign: 0 },
  }));
}

describe('a ratio of processor time', () => {
  test('is resolved where blocks agree', () => {
    const blocks = [0, 1, 2, 3, 4, 5].map((at) => block(at, { sidecar: 400 + at, ambient: 200 }));
    expect(isResolved(blocks.flat())).toBe(true);
  });

  test('is resolved where a busy machine disturbs both alike', () => {
    const blocks = [1, 2, 1.5, 3, 1, 2].map((slow, at) =>
      block(at, { sidecar: 400 * slow, ambient: 200 * slow }),
    );
    expect(isResolved(blocks.flat())).toBe(true);
  });

  test('is not where they do not agree', () => {
    const blocks = [100, 300, 120, 280, 90, 350].map((ambient, at) =>
      block(at, { sidecar: 400, ambient }),
    );
    expect(isResolved(blocks.flat())).toBe(false);
  });
});

test.for([
  { costs: [400, 300, 250, 200], is: false, why: 'too few' },
  { costs: [400, 300, 250, 200, 150], is: false, why: 'still falling' },
  { costs: [400, 300, 210, 200, 205], is: true, why: 'level' },
])('a warm-up of $costs has settled: $is ($why)', ({ costs, is }) => {
  const windows = costs.map((microsPerRequest) => ({ microsPerRequest, failed: 0 }));
  expect(isSettled(windows)).toBe(is);
  expect(isSettled(windows.map((window) => ({ ...window, failed: 1 })))).toBe(false);
});
