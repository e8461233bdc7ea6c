import { type Detected, HostMonitor, type MonitorOwner, type Rate } from './host-monitor.ts';
import type { OutlierSettings } from './outlier-settings.ts';

export interface OutlierDeps {
  readonly nowMs: () => number;
  /** Numbers from 0 to below 1. */
  readonly random: () => number;
  /** A host was ejected or came back. */
  readonly onChange: () => void;
}

/** One of the two counts of a monitor by which its host is compared with the others. */
type Counted = 'answers' | 'local';

/**
 * Takes hosts that fail out of balancing for a while, and lets them back (Envoy's outlier detection, spec l7 2.5).
 * Always: no more than `maxEjectionPercent` of the hosts are out; with the default of 10 % a cluster of fewer than ten
 * hosts ejects none. Time passes only in `sweep`.
 */
export class OutlierDetector implements MonitorOwner {
  settings: OutlierSettings;
  readonly #deps: OutlierDeps;
  readonly #monitors = new Set<HostMonitor>();
  #ejected = 0;

  constructor(settings: OutlierSettings, deps: OutlierDeps) {
    this.settings = settings;
    this.#deps = deps;
  }

  /** For a host that joins. */
  add(): HostMonitor {
    const monitor = new HostMonitor(this);
    this.#monitors.add(monitor);
    return monitor;
  }

  /** Of a host that leaves. */
  remove(monitor: HostMonitor): void {
    if (this.#monitors.delete(monitor) && monitor.ejection.kind === 'ejected') this.#ejected -= 1;
  }

  /** A host of those that were ejected already may still answer what it was asked before. */
  detected(monitor: HostMonitor, what: Detected): void {
    if (!this.#monitors.has(monitor) || monitor.ejection.kind === 'ejected') return;
    this.#eject(monitor, this.#enforcedPercentOf(what));
    monitor.forgetFailures(what);
  }

  /** Every `intervalMs`. */
  sweep(): void {
    const nowMs = this.#deps.nowMs();
    for (const monitor of this.#monitors) this.#considerReturn(monitor, nowMs);
    this.#compare('answers');
    if (this.settings.localFailures === 'apart') this.#compare('local');
    for (const monitor of this.#monitors) this.#forgive(monitor, nowMs);
  }

  #enforcedPercentOf(what: Detected): number {
    const { consecutive5xx, consecutiveGateway, consecutiveLocal } = this.settings;
    switch (what) {
      case 'consecutive-5xx':
        return consecutive5xx.enforcedPercent;
      case 'consecutive-gateway':
        return consecutiveGateway.enforcedPercent;
      case 'consecutive-local':
        return consecutiveLocal.enforcedPercent;
    }
  }

  #eject(monitor: HostMonitor, enforcedPercent: number): void {
    const { settings } = this;
    const share = (100 * (this.#ejected + 1)) / this.#monitors.size;
    const isAllowed = settings.firstEjection === 'always' && this.#ejected === 0;
    if (!isAllowed && share > settings.maxEjectionPercent) return;
    if (this.#deps.random() * 100 >= enforcedPercent) return;
    const jitterMs = Math.floor(this.#deps.random() * (settings.maxJitterMs + 1));
    this.#ejected += 1;
    monitor.ejection = { kind: 'ejected', sinceMs: this.#deps.nowMs(), jitterMs };
    const lastingMs = monitor.ejections * settings.baseEjectionMs;
    if (lastingMs < settings.maxEjectionMs + settings.baseEjectionMs) monitor.ejections += 1;
    this.#deps.onChange();
  }

  #considerReturn(monitor: HostMonitor, nowMs: number): void {
    const { ejection } = monitor;
    if (ejection.kind === 'serving') return;
    const { baseEjectionMs, maxEjectionMs } = this.settings;
    const lastsMs = Math.min(baseEjectionMs * monitor.ejections, maxEjectionMs) + ejection.jitterMs;
    if (nowMs - ejection.sinceMs < lastsMs) return;
    this.#ejected -= 1;
    monitor.ejection = { kind: 'serving', sinceMs: nowMs };
    monitor.forgetFailures('all');
    this.#deps.onChange();
  }

  /** For each interval without an ejection the next one is shorter again. */
  #forgive(monitor: HostMonitor, nowMs: number): void {
    const { ejection } = monitor;
    if (ejection.kind === 'ejected' || ejection.sinceMs === null) return;
    if (nowMs - ejection.sinceMs < this.settings.intervalMs) return;
    if (monitor.ejections > 0) monitor.ejections -= 1;
  }

  /** Ejects those that do much worse than the others, or badly, and counts from anew. */
  #compare(counted: Counted): void {
    const { successRate, failureRate } = this.settings;
    const rates = this.#ratesOf(counted, successRate.minRequests);
    if (rates.length > 0 && rates.length >= successRate.minHosts) {
      const threshold = thresholdOf(rates, successRate.deviations);
      const enforced =
        counted === 'answers' ? successRate.enforcedPercent : successRate.enforcedLocalPercent;
      for (const { monitor, percent } of rates)
        if (percent < threshold) this.#eject(monitor, enforced);
    }
    const failing = this.#ratesOf(counted, failureRate.minRequests);
    if (failing.length > 0 && failing.length >= failureRate.minHosts) {
      const enforced =
        counted === 'answers' ? failureRate.enforcedPercent : failureRate.enforcedLocalPercent;
      for (const { monitor, percent } of failing)
        if (100 - percent >= failureRate.percent) this.#eject(monitor, enforced);
    }
    for (const monitor of this.#monitors) reset(monitor[counted]);
  }

  /** Percentages of success of the hosts that serve and were asked often enough. */
  #ratesOf(counted: Counted, minRequests: number): { monitor: HostMonitor; percent: number }[] {
    const rates: { monitor: HostMonitor; percent: number }[] = [];
    for (const monitor of this.#monitors) {
      const { total, succeeded } = monitor[counted];
      if (monitor.ejection.kind === 'ejected' || total === 0 || total < minRequests) continue;
      rates.push({ monitor, percent: (100 * succeeded) / total });
    }
    return rates;
  }
}

/** So many standard deviations below the mean. */
function thresholdOf(rates: readonly { readonly percent: number }[], deviations: number): number {
  const mean = rates.reduce((sum, { percent }) => sum + percent, 0) / rates.length;
  const variance =
    rates.reduce((sum, { percent }) => sum + (percent - mean) ** 2, 0) / rates.length;
  return mean - deviations * Math.sqrt(variance);
}

function reset(rate: Rate): void {
  rate.total = 0;
  rate.succeeded = 0;
}
