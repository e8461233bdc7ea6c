import type { SourcePeer } from './source-peer.ts';

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

const NOBODY: SourcePeer = {
  principal: '',
  workload: null,
  namespace: null,
  canonicalName: null,
  canonicalRevision: null,
  cluster: null,
};
