import type { SourcePeer } from './source-peer.ts';
import { type ToldMetrics, withoutValues } from './told-metrics.ts';

/**
 * Label sets of one kind that a thread keeps apart. Peers say themselves which workload they are: beyond this their words
 * are no labels any more, and beyond twice as many neither are their identities.
 */
export const MAX_SERIES = 4_096;

/** The source as it becomes labels where so many label sets are known already. */
export function affordable(source: SourcePeer, knownSeries: number): SourcePeer {
  if (knownSeries < MAX_SERIES) return source;
  return { ...NOBODY, principal: knownSeries < 2 * MAX_SERIES ? source.principal : '' };
}

/** The same of labels that are asked for: requests may make up their values. */
export function affordableTold(told: ToldMetrics | null, knownSeries: number): ToldMetrics | null {
  return knownSeries < MAX_SERIES ? told : withoutValues(told);
}

const NOBODY: SourcePeer = {
  principal: '',
  workload: null,
  namespace: null,
  canonicalName: null,
  canonicalRevision: null,
  cluster: null,
};
