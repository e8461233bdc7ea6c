import type { Identity } from '@aquifer/model';
import { decodeBaggage } from '@aquifer/wire';
import type { DescribedPeer } from './labels.ts';

/** Each makes a series of every metric that stays for good; a mesh has some hundred kinds of workloads. */
const MAX_KNOWN = 4096;

/**
 * What peers say about themselves in `baggage`, for metrics and access lines only. They may say what they like, so what
 * TLS has proven goes before it, and only so many are believed: the rest stays unknown.
 */
export class PeerBaggage {
  readonly #known = new Map<string, DescribedPeer>();

  /** The same object for the same words; null for a peer that says nothing, or too much. */
  describe(header: string | null, proven: Identity): DescribedPeer | null {
    if (header === null || header === '') return null;
    const key = `${proven.namespace}|${header}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= MAX_KNOWN) return null;
    const peer = read(header, proven);
    if (peer !== null) this.#known.set(key, peer);
    return peer;
  }
}

function read(header: string, { namespace }: Identity): DescribedPeer | null {
  const said = decodeBaggage(header);
  if (Object.values(said).every((value) => value === null)) return null;
  const workloadName = said.workloadName ?? '';
  const canonicalName = said.serviceName ?? '';
  return {
    // A pod's own name is not among what is said.
    name: workloadName || canonicalName,
    namespace,
    clusterId: said.clusterId ?? '',
    workloadName,
    canonicalName,
    canonicalRevision: said.revision ?? '',
    locality: { region: said.region ?? '', zone: said.zone ?? '', subzone: '' },
  };
}
