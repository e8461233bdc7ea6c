import type { ThreadWish } from './forms.ts';

/** What says how many data-plane threads there are; null is unset. */
export interface ThreadSources {
  readonly wish: ThreadWish | null;
  /** `ZTUNNEL_RESOURCE_CPU_LIMIT` and `…_REQUEST`: what Kubernetes gives the container, in processors. */
  readonly cpuLimit: number | null;
  readonly cpuRequest: number | null;
  /** `ZTUNNEL_CPU_LIMIT`: the processors to count with. */
  readonly cpuCount: number | null;
}

/** At least one thread; without a wish a quarter of the processors, and two at least (spec ztunnel 1.2). */
export function workerThreads(sources: ThreadSources, machineCpus: number): number {
  const { wish, cpuLimit, cpuRequest, cpuCount } = sources;
  const limit = cpuLimit === null ? null : Math.ceil(cpuLimit);
  const cpus = limit ?? cpuCount ?? machineCpus;
  if (wish?.kind === 'count') return Math.max(1, wish.count === 0 ? cpus : wish.count);
  if (wish?.kind === 'percent') return Math.max(1, Math.ceil((cpus * wish.percent) / 100));
  const request = Math.ceil(cpuRequest ?? 0);
  if (limit !== null) return Math.max(limit, request, 1);
  return Math.max(Math.ceil(cpus / 4), request, 2);
}
