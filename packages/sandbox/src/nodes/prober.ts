import { setTimeout as sleep } from 'node:timers/promises';
import type { Container, Probe } from '@aquifer/model/resources';
import { attemptProbe, type ProbeTarget } from './probes.ts';

export interface ProberEvents {
  /** The startup probe passed (or there is none). */
  started(): void;
  ready(isReady: boolean): void;
  /** A probe failed; `kind` as in the event's message. */
  failed(kind: 'Startup' | 'Readiness' | 'Liveness', reason: string): void;
  /** The startup or liveness probe failed for good: the container must be restarted. */
  unhealthy(message: string): void;
}

/**
 * Probes one running container until `signal` aborts: first the startup probe alone, then readiness and liveness side
 * by side (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes).
 */
export async function runProbes(
  target: ProbeTarget,
  events: ProberEvents,
  signal: AbortSignal,
): Promise<void> {
  const { container } = target;
  if (!(await passStartup(container, target, events, signal))) return;
  events.started();
  await Promise.all([
    watchReadiness(container, target, events, signal),
    watchLiveness(container, target, events, signal),
  ]);
}

async function passStartup(
  { name, startupProbe }: Container,
  target: ProbeTarget,
  events: ProberEvents,
  signal: AbortSignal,
): Promise<boolean> {
  if (startupProbe === undefined) return true;
  for await (const { failure, failures } of attempts(startupProbe, target, signal)) {
    if (failure === null) return true;
    events.failed('Startup', failure);
    if (failures >= (startupProbe.failureThreshold ?? 3)) {
      events.unhealthy(`Container ${name} failed startup probe, will be restarted`);
      return false;
    }
  }
  return false;
}

async function watchReadiness(
  { readinessProbe }: Container,
  target: ProbeTarget,
  events: ProberEvents,
  signal: AbortSignal,
): Promise<void> {
  if (readinessProbe === undefined) return events.ready(true);
  for await (const { failure, failures, successes } of attempts(readinessProbe, target, signal)) {
    if (failure !== null) events.failed('Readiness', failure);
    if (successes >= (readinessProbe.successThreshold ?? 1)) events.ready(true);
    if (failures >= (readinessProbe.failureThreshold ?? 3)) events.ready(false);
  }
}

async function watchLiveness(
  { name, livenessProbe }: Container,
  target: ProbeTarget,
  events: ProberEvents,
  signal: AbortSignal,
): Promise<void> {
  if (livenessProbe === undefined) return;
  for await (const { failure, failures } of attempts(livenessProbe, target, signal)) {
    if (failure !== null) events.failed('Liveness', failure);
    if (failures >= (livenessProbe.failureThreshold ?? 3)) {
      return events.unhealthy(`Container ${name} failed liveness probe, will be restarted`);
    }
  }
}

interface Attempt {
  readonly failure: string | null;
  /** In a row, this one included. */
  readonly failures: number;
  readonly successes: number;
}

/**
 * Until a probe succeeds for the first time it is also tried between its periods, so that a pod is ready soon after its
 * program; those attempts do not count as failures.
 */
const EAGER_WAITS_MS = [50, 100, 200, 400];
const EAGER_PERIOD_MS = 1_000;

async function* attempts(
  probe: Probe,
  target: ProbeTarget,
  signal: AbortSignal,
): AsyncGenerator<Attempt, void> {
  const { initialDelaySeconds = 0, periodSeconds = 10, timeoutSeconds = 1 } = probe;
  let tally: Attempt = { failure: null, failures: 0, successes: 0 };
  let hasSucceeded = false;
  if (!(await pause(initialDelaySeconds * 1000, signal))) return;
  let countFromMs = Date.now() + EAGER_PERIOD_MS;
  for (let attempt = 0; ; attempt++) {
    const failure = await attemptProbe(probe, target, timeoutSeconds * 1000);
    if (signal.aborted) return;
    hasSucceeded ||= failure === null;
    if (hasSucceeded || Date.now() >= countFromMs) {
      tally = count(tally, failure);
      countFromMs = Date.now() + periodSeconds * 1000;
      yield tally;
    }
    const waitMs = hasSucceeded ? periodSeconds * 1000 : eagerWaitMs(attempt);
    if (!(await pause(waitMs, signal))) return;
  }
}

function count({ failures, successes }: Attempt, failure: string | null): Attempt {
  return failure === null
    ? { failure, failures: 0, successes: successes + 1 }
    : { failure, failures: failures + 1, successes: 0 };
}

function eagerWaitMs(attempt: number): number {
  return EAGER_WAITS_MS[attempt] ?? EAGER_PERIOD_MS;
}

/** False when the wait was cut short. */
async function pause(durationMs: number, signal: AbortSignal): Promise<boolean> {
  return sleep(durationMs, true, { signal }).catch(() => false);
}
