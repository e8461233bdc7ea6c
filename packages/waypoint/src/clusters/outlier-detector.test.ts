import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HostMonitor, Outcome } from './host-monitor.ts';
import { OutlierDetector } from './outlier-detector.ts';
import type { OutlierSettings } from './outlier-settings.ts';

const NEVER = { failures: 0, enforcedPercent: 100 } as const;
const SETTINGS: OutlierSettings = {
  consecutive5xx: { failures: 5, enforcedPercent: 100 },
  consecutiveGateway: NEVER,
  consecutiveLocal: NEVER,
  localFailures: 'as-answers',
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxJitterMs: 0,
  maxEjectionPercent: 10,
  firstEjection: 'by-percent',
  successRate: {
    enforcedPercent: 0,
    enforcedLocalPercent: 0,
    minHosts: 5,
    minRequests: 100,
    deviations: 1.9,
  },
  failureRate: {
    enforcedPercent: 0,
    enforcedLocalPercent: 0,
    minHosts: 5,
    minRequests: 50,
    percent: 85,
  },
};

class Bench {
  nowMs = 0;
  changes = 0;
  readonly detector: OutlierDetector;
  readonly monitors: HostMonitor[];

  constructor(hosts: number, settings: Partial<OutlierSettings> = {}) {
    this.detector = new OutlierDetector(
      { ...SETTINGS, ...settings },
      { nowMs: () => this.nowMs, random: () => 0.5, onChange: () => this.#changed() },
    );
    this.monitors = Array.from({ length: hosts }, () => this.detector.add());
  }

  #changed(): void {
    this.changes += 1;
  }

  report(host: number, outcome: Outcome, times = 1): void {
    for (let i = 0; i < times; i++) this.monitors[host]!.report(outcome);
  }

  isEjected(host: number): boolean {
    return this.monitors[host]!.ejection.kind === 'ejected';
  }

  get ejected(): number[] {
    return this.monitors.flatMap((_, host) => (this.isEjected(host) ? [host] : []));
  }

  /** Sweeps as time passes. */
  pass(ms: number): void {
    const { intervalMs } = this.detector.settings;
    const untilMs = this.nowMs + ms;
    const nextMs = () => (Math.floor(this.nowMs / intervalMs) + 1) * intervalMs;
    while (nextMs() <= untilMs) {
      this.nowMs = nextMs();
      this.detector.sweep();
    }
    this.nowMs = untilMs;
  }
}

describe('outlier detection', () => {
  test('ejects a host for 30 s after five 5xx in a row, and for 60 s the next time (L163)', () => {
    const bench = new Bench(20);
    bench.report(0, 500, 4);
    expect(bench.ejected).toEqual([]);
    bench.report(0, 500);
    expect(bench.ejected).toEqual([0]);
    bench.pass(29_000);
    expect(bench.ejected).toEqual([0]);
    bench.pass(1_000);
    expect(bench.ejected).toEqual([]);
    bench.report(0, 500, 5);
    bench.pass(59_000);
    expect(bench.ejected).toEqual([0]);
    bench.pass(1_000);
    expect(bench.ejected).toEqual([]);
    expect(bench.changes).toBe(4);
  });

  test('ejects nobody of three hosts at 10 % (L164)', () => {
    const bench = new Bench(3);
    bench.report(0, 500, 50);
    expect(bench.ejected).toEqual([]);
  });

  test('ejects one of three where one is always to be ejected', () => {
    const bench = new Bench(3, { firstEjection: 'always' });
    for (const host of [0, 1]) bench.report(host, 500, 5);
    expect(bench.ejected).toEqual([0]);
  });

  test('ejects every host where all may be (L165)', () => {
    const bench = new Bench(3, { maxEjectionPercent: 100 });
    for (const host of [0, 1, 2]) bench.report(host, 500, 5);
    expect(bench.ejected).toEqual([0, 1, 2]);
  });

  test('starts to count again at an answer that is none of 5xx', () => {
    const bench = new Bench(20);
    for (const outcome of [200, 404, 600] as const) {
      bench.report(0, 500, 4);
      bench.report(0, outcome);
    }
    expect(bench.ejected).toEqual([]);
  });

  test('forgives an ejection for each interval without another', () => {
    const bench = new Bench(20);
    bench.report(0, 500, 5);
    bench.pass(30_000);
    bench.report(0, 500, 5);
    bench.pass(60_000);
    expect(bench.monitors[0]!.ejections).toBe(2);
    bench.pass(20_000);
    bench.report(0, 500, 5);
    bench.pass(29_000);
    expect(bench.ejected).toEqual([0]);
    bench.pass(1_000);
    expect(bench.ejected).toEqual([]);
  });

  test.for([
    { name: '503', outcome: 503 },
    { name: 'a timeout', outcome: 'timeout' },
    { name: 'a failed connection', outcome: 'unreachable' },
  ] as const)('counts $name as a gateway failure', ({ outcome }) => {
    const gateway = { failures: 3, enforcedPercent: 100 };
    const bench = new Bench(20, { consecutiveGateway: gateway });
    bench.report(0, outcome, 2);
    bench.report(0, 500);
    bench.report(0, outcome, 1);
    expect(bench.ejected).toEqual([]);
    bench.report(1, outcome, 3);
    expect(bench.ejected).toEqual([1]);
  });

  test('tells failures without an answer apart where it is to', () => {
    const bench = new Bench(20, {
      localFailures: 'apart',
      consecutiveLocal: { failures: 3, enforcedPercent: 100 },
      consecutive5xx: { failures: 3, enforcedPercent: 100 },
    });
    bench.report(0, 'unreachable', 2);
    bench.report(0, 500, 2);
    bench.report(0, 'connected');
    bench.report(0, 'timeout', 2);
    expect(bench.ejected).toEqual([]);
    bench.report(0, 'timeout');
    bench.report(1, 500, 3);
    expect(bench.ejected).toEqual([0, 1]);
  });

  test('only counts what is not enforced', () => {
    const bench = new Bench(20, { consecutive5xx: { failures: 5, enforcedPercent: 0 } });
    bench.report(0, 500, 50);
    expect(bench.ejected).toEqual([]);
  });

  test('ejects the host whose rate of success is far below the others', () => {
    const bench = new Bench(20, {
      successRate: { ...SETTINGS.successRate, enforcedPercent: 100 },
    });
    for (let host = 0; host < 20; host++) {
      for (let i = 0; i < 100; i++) bench.report(host, host === 7 && i % 2 === 0 ? 500 : 200);
    }
    bench.pass(10_000);
    expect(bench.ejected).toEqual([7]);
  });

  test('ejects the hosts that fail almost always', () => {
    const bench = new Bench(20, {
      consecutive5xx: NEVER,
      failureRate: { ...SETTINGS.failureRate, enforcedPercent: 100 },
    });
    for (let host = 0; host < 5; host++) {
      const failing = [90, 80, 0, 0, 0][host]!;
      bench.report(host, 500, failing);
      bench.report(host, 200, 100 - failing);
    }
    bench.pass(10_000);
    expect(bench.ejected).toEqual([0]);
  });

  test('forgets a host that has left', () => {
    const bench = new Bench(20, { maxEjectionPercent: 5 });
    bench.report(0, 500, 5);
    bench.detector.remove(bench.monitors[0]!);
    bench.report(0, 500, 5);
    bench.detector.add();
    bench.report(1, 500, 5);
    expect(bench.ejected).toEqual([0, 1]);
  });

  test('never ejects more than it may, and every host comes back', () => {
    const outcome = fc.constantFrom<Outcome>(200, 500, 503, 'unreachable', 'timeout');
    const event = fc.record({ host: fc.nat(9), outcome, times: fc.nat(7), ms: fc.nat(40_000) });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 80 }), fc.nat(100), (events, percent) => {
        const bench = new Bench(10, { maxEjectionPercent: percent });
        for (const { host, outcome: how, times, ms } of events) {
          bench.report(host, how, times);
          bench.pass(ms);
          expect(bench.ejected.length * 10).toBeLessThanOrEqual(percent);
        }
        bench.pass(310_000);
        expect(bench.ejected).toEqual([]);
      }),
      { seed: 9 },
    );
  });
});
