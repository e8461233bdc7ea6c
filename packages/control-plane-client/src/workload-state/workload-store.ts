import { type Authorization, serviceKey, type Workload } from '@aquifer/model';
import { TimeSlice } from '@aquifer/runtime';
import type { ReceivedResource, RejectedResource, ResourceBatch } from '../resource-batch.ts';
import { type ArrivedPolicy, type KnownPolicy, PolicyStore } from './policy-store.ts';
import { type Address, encodeRecord, isWorkload, NAME, namesOf } from './record.ts';
import { decodeAddress, decodePolicy } from './resource-decoder.ts';
import { hashName, type Segment, SegmentBuilder } from './segment.ts';
import { MAX_RECORDS, mergeSegments, nextMerge } from './segment-merge.ts';
import { RecordCache, type SnapshotDelta, WorkloadSnapshot } from './snapshot.ts';

/** What changed: the workloads and services, or which policies there are. */
export type StoreChange =
  | { readonly kind: 'snapshot'; readonly delta: SnapshotDelta }
  | { readonly kind: 'policies' };

export interface WorkloadStoreOptions {
  /** Told of each workload that came (nothing before), changed or went (nothing after), before it can be read. */
  readonly onWorkload?: (before: Workload | null, after: Workload | null) => void;
}

/** The writer reads little itself: what is replaced, and the pods of its own node. */
const CACHED_RECORDS = 1024;
const SLICE_MS = 4;

/**
 * The proxy's picture of the mesh, built from WDS: written by one thread, read by all through snapshots. Always: a batch
 * is applied as a whole, and a resource that does not decode leaves its last good version in place.
 */
export class WorkloadStore {
  readonly #onWorkload: NonNullable<WorkloadStoreOptions['onWorkload']>;
  readonly #policies = new PolicyStore();
  readonly #listeners = new Set<(change: StoreChange) => void>();
  readonly #cache = new RecordCache(CACHED_RECORDS);
  /** How many records are alive, in segments of which not all are. */
  readonly #alive = new WeakMap<Segment, number>();
  #snapshot = new WorkloadSnapshot(0, [], this.#cache);
  #lastRecordId = 0;
  #lastSegmentId = 0;
  /** The batch that is being applied. */
  #busy: Promise<unknown> | null = null;

  constructor(options: WorkloadStoreOptions = {}) {
    this.#onWorkload = options.onWorkload ?? (() => undefined);
  }

  /** The mesh as of the last batch. */
  get snapshot(): WorkloadSnapshot {
    return this.#snapshot;
  }

  /** Applies Address resources in slices, removals first. Batches are applied one after the other. */
  applyAddresses(batch: ResourceBatch): Promise<readonly RejectedResource[]> {
    return this.#inTurn(() => this.#applyAddresses(batch));
  }

  /** Applies Authorization resources, keyed by their xDS name; as for addresses. */
  applyPolicies(batch: ResourceBatch): Promise<readonly RejectedResource[]> {
    return this.#inTurn(() => this.#applyPolicies(batch));
  }

  /** See `PolicyStore.settle`. */
  settlePolicies(): readonly string[] {
    const late = this.#policies.settle();
    if (late.length > 0) this.#announce({ kind: 'policies' });
    return late;
  }

  policiesFor(workload: Workload): readonly KnownPolicy[] {
    return this.#policies.policiesFor(workload);
  }

  allPolicies(): Iterable<Authorization> {
    return this.#policies.all();
  }

  onChange(listener: (change: StoreChange) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  #announce(change: StoreChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  #inTurn<T>(apply: () => Promise<T>): Promise<T> {
    const applied = this.#busy === null ? apply() : this.#busy.then(apply, apply);
    this.#busy = applied;
    return applied.finally(() => {
      if (this.#busy === applied) this.#busy = null;
    });
  }

  async #applyPolicies(batch: ResourceBatch): Promise<readonly RejectedResource[]> {
    const slice = new TimeSlice(SLICE_MS);
    const arrived: ArrivedPolicy[] = [];
    const rejected: RejectedResource[] = [];
    for (const { name, body } of batch.resources) {
      if (slice.isOver()) await slice.next();
      const decoded = decodePolicy(body);
      arrived.push({ name, body, decoded });
      if (!decoded.ok) rejected.push({ name, reason: decoded.error });
    }
    this.#policies.apply(arrived, batch.removed);
    this.#announce({ kind: 'policies' });
    return rejected;
  }

  async #applyAddresses(batch: ResourceBatch): Promise<readonly RejectedResource[]> {
    const slice = new TimeSlice(SLICE_MS);
    const { generation, segments } = this.#snapshot;
    // What is left of the records there were, as the batch goes on.
    const left = new WorkloadSnapshot(generation + 1, segments, this.#cache);
    let ended = 0;
    for (const name of batch.removed) {
      if (slice.isOver()) await slice.next();
      if (this.#replace(left, name, null)) ended += 1;
    }
    const { built, rejected } = await this.#addAll(batch.resources, left, slice);
    // An answer that there is nothing, which on demand is most of them.
    if (ended === 0 && built.length === 0) return rejected;
    const all = [...segments, ...built];
    while (this.#mergeSome(all, left.generation)) if (slice.isOver()) await slice.next();
    this.#publish(all, left.generation);
    return rejected;
  }

  async #addAll(
    resources: readonly ReceivedResource[],
    left: WorkloadSnapshot,
    slice: TimeSlice,
  ): Promise<{
    readonly built: readonly Segment[];
    readonly rejected: readonly RejectedResource[];
  }> {
    const rejected: RejectedResource[] = [];
    const keys = new Set<string>();
    const built: Segment[] = [];
    let builder = new SegmentBuilder();
    for (const { name, body } of lastOfEachName(resources)) {
      if (slice.isOver()) await slice.next();
      const decoded = decodeAddress(body);
      const problem = decoded.ok ? repetition(decoded.value, keys) : decoded.error;
      if (decoded.ok && problem === null) this.#add(left, decoded.value, builder);
      else rejected.push({ name, reason: problem ?? '' });
      if (builder.size < MAX_RECORDS) continue;
      built.push(this.#build(builder));
      builder = new SegmentBuilder();
    }
    if (builder.size > 0) built.push(this.#build(builder));
    return { built, rejected };
  }

  #add(left: WorkloadSnapshot, address: Address, builder: SegmentBuilder): void {
    this.#replace(left, keyOf(address), address);
    this.#lastRecordId += 1;
    const hashes = new Set([...namesOf(address)].map(hashName));
    builder.add(this.#lastRecordId, hashes, encodeRecord(address));
  }

  /** Ends the record of a workload's uid or a service's key and tells what takes its place; false if there is none. */
  #replace(left: WorkloadSnapshot, key: string, after: Address | null): boolean {
    const isMeant = (found: Address) => keyOf(found) === key;
    const place =
      left.locate(NAME.workload(key), isMeant) ?? left.locate(NAME.service(key), isMeant);
    if (place === null) {
      this.#follow(null, after);
      return false;
    }
    const before = left.read(place);
    place.segment.markDied(place.record, left.generation);
    this.#alive.set(place.segment, this.#aliveIn(place.segment) - 1);
    this.#follow(before, after);
    return true;
  }

  #follow(before: Address | null, after: Address | null): void {
    const workloads = [before, after].map((each) =>
      each !== null && isWorkload(each) ? each : null,
    );
    const [left = null, came = null] = workloads;
    if (left === null && came === null) return;
    this.#policies.relist(left?.authorizationPolicies ?? [], came?.authorizationPolicies ?? []);
    this.#onWorkload(left, came);
  }

  #build(builder: SegmentBuilder): Segment {
    this.#lastSegmentId += 1;
    return builder.build(this.#lastSegmentId);
  }

  #aliveIn(segment: Segment): number {
    return this.#alive.get(segment) ?? segment.size;
  }

  /** Drops a segment that is dead altogether, or writes one or two anew; false if nothing is left to do. */
  #mergeSome(segments: Segment[], generation: number): boolean {
    const sizes = segments.map((segment) => ({
      size: segment.size,
      alive: this.#aliveIn(segment),
    }));
    const dead = sizes.findIndex(({ alive }) => alive === 0);
    if (dead >= 0) {
      segments.splice(dead, 1);
      return true;
    }
    const merge = nextMerge(sizes);
    if (merge === null) return false;
    const { at, count } = merge;
    this.#lastSegmentId += 1;
    const parts = segments.slice(at, at + count);
    segments.splice(at, count, mergeSegments(parts, generation, this.#lastSegmentId));
    return true;
  }

  #publish(segments: readonly Segment[], generation: number): void {
    const before = new Set(this.#snapshot.segments);
    this.#snapshot = new WorkloadSnapshot(generation, segments, this.#cache);
    const added = segments.filter((segment) => !before.has(segment)).map(({ buffer }) => buffer);
    const delta = { generation, segments: segments.map(({ id }) => id), added };
    this.#announce({ kind: 'snapshot', delta });
  }
}

function lastOfEachName(resources: readonly ReceivedResource[]): Iterable<ReceivedResource> {
  return new Map(resources.map((resource) => [resource.name, resource])).values();
}

/** Why a resource is refused if the response holds its key twice, under different names. */
function repetition(address: Address, keys: Set<string>): string | null {
  const key = keyOf(address);
  if (keys.has(key)) return `another resource of the response describes ${key}`;
  keys.add(key);
  return null;
}

function keyOf(address: Address): string {
  return isWorkload(address) ? address.uid : serviceKey(address);
}
