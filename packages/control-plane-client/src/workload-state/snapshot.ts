import { type Service, serviceKey, type Workload } from '@aquifer/model';
import { type Address, decodeRecord, isPod, isWorkload, NAME } from './record.ts';
import { hashName, Segment } from './segment.ts';
import { pickByRange, pickService } from './service-choice.ts';

/** What decisions may read. */
export interface WorkloadView {
  workload(uid: string): Workload | null;
  /** Host-network workloads are never found by address (spec ztunnel 5.8). */
  workloadByAddress(network: string, ip: string): Workload | null;
  service(key: string): Service | null;
  /** The best service for a virtual address, as seen from a namespace (spec ztunnel 3.3). */
  serviceByVip(network: string, ip: string, clientNamespace: string): Service | null;
  /** In the order they came in; `pickService` says which of them a caller means. */
  servicesByHostname(hostname: string): readonly Service[];
  /** The workloads that serve it, in the order they came in. */
  endpoints(serviceKey: string): readonly Workload[];
}

/** Decoded records that were asked for lately, by their ids. A record has one decoded value while it is in use. */
export class RecordCache {
  readonly #size: number;
  #recent = new Map<number, Address>();
  #before = new Map<number, Address>();

  /** Keeps between `size` and twice as many. */
  constructor(size: number) {
    this.#size = size;
  }

  read(segment: Segment, record: number): Address {
    const id = segment.idOf(record);
    const recent = this.#recent.get(id);
    if (recent !== undefined) return recent;
    const address = this.#before.get(id) ?? decodeRecord(segment.textOf(record));
    if (this.#recent.size >= this.#size) {
      this.#before = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(id, address);
    return address;
  }
}

/** As many decoded workloads as the cache may keep alive. */
const MAX_ENDPOINTS_HELD = 16_384;

/** A record, and where it is. */
export interface PlacedRecord {
  readonly segment: Segment;
  readonly record: number;
}

/**
 * The mesh at one moment. Always: whatever happens later, a snapshot answers the same. Several threads read the same
 * memory; each decodes what its connections ask for.
 */
export class WorkloadSnapshot implements WorkloadView {
  readonly generation: number;
  /** The oldest first: so are the ids of their records. */
  readonly segments: readonly Segment[];
  readonly #cache: RecordCache;
  /** Of services that were asked for: some have thousands, and every connection to one asks. */
  readonly #endpoints = new Map<string, readonly Workload[]>();
  #endpointsHeld = 0;

  constructor(generation: number, segments: readonly Segment[], cache: RecordCache) {
    this.generation = generation;
    this.segments = segments;
    this.#cache = cache;
  }

  workload(uid: string): Workload | null {
    const place = this.locate(
      NAME.workload(uid),
      (found) => isWorkload(found) && found.uid === uid,
    );
    return place === null ? null : (this.read(place) as Workload);
  }

  service(key: string): Service | null {
    const place = this.locate(
      NAME.service(key),
      (found) => !isWorkload(found) && serviceKey(found) === key,
    );
    return place === null ? null : (this.read(place) as Service);
  }

  /** Of several the highest in rank, and of equals the last that came: an address is given to another pod sometimes. */
  workloadByAddress(network: string, ip: string): Workload | null {
    let best: Workload | null = null;
    for (const found of this.#find(NAME.address(network, ip))) {
      if (!isWorkload(found) || found.network !== network) continue;
      if (found.networkMode !== 'standard' || !found.addresses.includes(ip)) continue;
      if (best === null || addressRank(found) >= addressRank(best)) best = found;
    }
    return best;
  }

  /** Pods of that name, of whatever cluster. */
  pods(namespace: string, name: string): readonly Workload[] {
    return this.#find(NAME.pod(namespace, name))
      .filter(isWorkload)
      .filter((found) => found.namespace === namespace && found.name === name && isPod(found));
  }

  serviceByVip(network: string, ip: string, clientNamespace: string): Service | null {
    const exact = this.#services(NAME.vip(network, ip)).filter(({ addresses }) =>
      addresses.some(
        (vip) => vip.prefixLength === null && vip.network === network && vip.address === ip,
      ),
    );
    const best = pickService(exact, clientNamespace);
    if (best !== null) return best;
    const withRanges = this.#services(NAME.ranges(network));
    return pickByRange(withRanges, { network, ip, clientNamespace });
  }

  servicesByHostname(hostname: string): readonly Service[] {
    const named = this.#services(NAME.hostname(hostname));
    return named.filter((service) => service.hostname === hostname);
  }

  endpoints(key: string): readonly Workload[] {
    const known = this.#endpoints.get(key);
    if (known !== undefined) return known;
    const endpoints = this.#find(NAME.endpoint(key))
      .filter(isWorkload)
      .filter(({ services }) => services.has(key));
    if (this.#endpointsHeld > MAX_ENDPOINTS_HELD) {
      this.#endpoints.clear();
      this.#endpointsHeld = 0;
    }
    this.#endpoints.set(key, endpoints);
    this.#endpointsHeld += endpoints.length;
    return endpoints;
  }

  /** Every record of this moment. */
  *records(): Iterable<PlacedRecord> {
    for (const segment of this.segments) {
      for (let record = 0; record < segment.size; record++) {
        if (segment.isAlive(record, this.generation)) yield { segment, record };
      }
    }
  }

  /** The last record of a name that a value with the property has. */
  locate(name: string, isMeant: (found: Address) => boolean): PlacedRecord | null {
    const hash = hashName(name);
    for (let i = this.segments.length - 1; i >= 0; i--) {
      const segment = this.segments[i]!;
      for (const record of segment.find(hash, this.generation)) {
        if (isMeant(this.#cache.read(segment, record))) return { segment, record };
      }
    }
    return null;
  }

  read({ segment, record }: PlacedRecord): Address {
    return this.#cache.read(segment, record);
  }

  #services(name: string): Service[] {
    return this.#find(name).filter((found): found is Service => !isWorkload(found));
  }

  /** Whatever has a name of the same hash; who asks looks whether it is the same name. */
  #find(name: string): Address[] {
    const hash = hashName(name);
    const found: Address[] = [];
    for (const segment of this.segments) {
      for (const record of segment.find(hash, this.generation)) {
        found.push(this.#cache.read(segment, record));
      }
    }
    return found;
  }
}

/** What turns a snapshot into the next one, for a thread that has the one before. */
export interface SnapshotDelta {
  readonly generation: number;
  /** Ids of all segments, the oldest first. */
  readonly segments: readonly number[];
  /** Those that were not part of the one before. */
  readonly added: readonly SharedArrayBuffer[];
}

/** The threads that carry bytes keep at most twice as many decoded records each, of about 1.3 KiB. */
const CACHED_RECORDS = 8192;

/** The newest snapshot as a thread has it. What it costs to take over another does not depend on how much changed. */
export class SnapshotReader {
  readonly #cache = new RecordCache(CACHED_RECORDS);
  #current = new WorkloadSnapshot(0, [], this.#cache);

  get current(): WorkloadSnapshot {
    return this.#current;
  }

  apply({ generation, segments, added }: SnapshotDelta): void {
    const known = new Map(this.#current.segments.map((segment) => [segment.id, segment]));
    for (const buffer of added) {
      const segment = new Segment(buffer);
      known.set(segment.id, segment);
    }
    const ordered = segments.map((id) => known.get(id)!);
    this.#current = new WorkloadSnapshot(generation, ordered, this.#cache);
  }
}

function addressRank(workload: Workload): number {
  return (isPod(workload) ? 2 : 0) + (workload.protocol === 'hbone' ? 1 : 0);
}
