/**
 * Addresses for hosts of ServiceEntries that have none (spec control-plane 2.5; recording wds/30). Which one a host gets
 * follows from its name, so that it is the same again when the entry is made anew; what another has is passed over.
 *
 * Always: an address that stands in a status stays, unless an older entry has it too. Of several hosts that would get
 * the same one, the oldest gets it; the others get theirs when its status says so.
 */
import { canonicalIpAddress } from '@aquifer/model';
import type { ServiceEntry } from '@aquifer/model/resources';
import xxhash from 'xxhash-wasm';
import type { Context } from '../collections/cell.ts';
import type { Collection, Index } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { byAge, namespaceOf } from './object.ts';
import { allocatedTo, autoAllocates, hostsOf } from './service-entry.ts';

/** One entry of `status.addresses`. */
export interface AllocatedAddress {
  readonly host: string;
  readonly value: string;
}

/** Numbers of 240.240.0.0/16 and 2001:2::/48, but for the first and the last of the former. */
const SLOTS = 65_534;

const { h32 } = await xxhash();

/** The two addresses of a number from 1 to `SLOTS`. */
function addressesOfSlot(slot: number): readonly string[] {
  return [`240.240.${slot >> 8}.${slot & 0xff}`, `2001:2::${slot.toString(16)}`];
}

type Metadata = Pick<ServiceEntry, 'metadata'>;

/** An address that an entry has. */
interface Claim extends Metadata {
  readonly address: string;
}

/** What an entry keeps, and what its other hosts would get. */
interface Proposal extends Metadata {
  readonly hosts: readonly { readonly host: string; readonly kept: readonly string[] }[];
  readonly slots: ReadonlyMap<string, number>;
}

/** The `status.addresses` that each entry is to have, by `namespace/name`. */
export function allocatedAddresses(
  graph: Graph,
  entries: Collection<ServiceEntry>,
): Collection<readonly AllocatedAddress[]> {
  const claims = graph.flatMap('claimed addresses', entries, (entry, _context, key) =>
    claimedBy(entry).map(
      (address) => [`${key} ${address}`, { metadata: identityOf(entry), address }] as const,
    ),
  );
  const byAddress = graph.index('claims by address', claims, ({ address }) => [address]);
  const proposals = graph.map('proposed addresses', entries, (entry, context) =>
    propose(entry, context, byAddress),
  );
  const bySlot = graph.index('proposals by address', proposals, ({ slots }) =>
    [...slots.values()].map(String),
  );
  return graph.map('allocated addresses', proposals, (proposal, context) =>
    proposal.hosts.flatMap(({ host, kept }) => {
      const values = kept.length > 0 ? kept : grantedTo(host, proposal, context, bySlot);
      return values.map((value) => ({ host, value }));
    }),
  );
}

function identityOf({ metadata }: ServiceEntry): ServiceEntry['metadata'] {
  const { namespace, name, creationTimestamp } = metadata;
  return {
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
    ...(creationTimestamp !== undefined && { creationTimestamp }),
  };
}

function claimedBy(entry: ServiceEntry): readonly string[] {
  const allocated = hostsOf(entry)
    .filter((host) => autoAllocates(entry, host))
    .flatMap((host) => allocatedTo(entry, host));
  const texts = [...(entry.spec?.addresses ?? []), ...allocated];
  return texts.map(canonicalIpAddress).filter((address) => address !== null);
}

function propose(entry: ServiceEntry, context: Context, byAddress: Index<Claim>): Proposal {
  const metadata = identityOf(entry);
  const claimsOf = (address: string): readonly Claim[] =>
    context.lookup(byAddress, canonicalIpAddress(address) ?? address);
  const isOurs = (address: string): boolean => isOldest(metadata, claimsOf(address));
  const hosts = hostsOf(entry)
    .filter((host) => autoAllocates(entry, host))
    .map((host) => ({ host, kept: allocatedTo(entry, host).filter(isOurs) }));
  const slots = new Map<string, number>();
  for (const { host, kept } of hosts) {
    if (kept.length > 0) continue;
    const taken = new Set(slots.values());
    const isFree = (slot: number): boolean =>
      !taken.has(slot) && addressesOfSlot(slot).every((address) => claimsOf(address).length === 0);
    const slot = firstSlot(`${namespaceOf(entry)}/${host}`, isFree);
    if (slot !== null) slots.set(host, slot);
  }
  return { metadata, hosts, slots };
}

/** From the one that the name says; null if all are taken. */
function firstSlot(name: string, isFree: (slot: number) => boolean): number | null {
  const start = h32(name);
  for (let step = 0; step < SLOTS; step++) {
    const slot = ((start + step) % SLOTS) + 1;
    if (isFree(slot)) return slot;
  }
  return null;
}

function grantedTo(
  host: string,
  { metadata, slots }: Proposal,
  context: Context,
  bySlot: Index<Proposal>,
): readonly string[] {
  const slot = slots.get(host);
  if (slot === undefined || !isOldest(metadata, context.lookup(bySlot, String(slot)))) return [];
  return addressesOfSlot(slot);
}

/** Whether nobody among those who want the same is older. */
function isOldest(metadata: ServiceEntry['metadata'], wanting: readonly Metadata[]): boolean {
  return wanting.every((other) => byAge({ metadata }, other) <= 0);
}
