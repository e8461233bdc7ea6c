/** What is served, by type and by whom it is for; it follows the collections after each round. */
import type { Collection } from '../collections/collection.ts';
import type { Derivation } from '../derive/derivation.ts';
import type { OwnedResource } from '../derive/l7/waypoint-collections.ts';
import type { PlacedPod } from '../derive/pod-resources.ts';
import type { Resource } from '../derive/resource.ts';
import { ServedSet } from './served-set.ts';

/** What one waypoint is served. */
export interface ServedWaypoint {
  readonly clusters: ServedSet;
  readonly endpoints: ServedSet;
  readonly listeners: ServedSet;
}

const WAYPOINT_TYPES = ['clusters', 'endpoints', 'listeners'] as const;

export class ServedResources {
  readonly addresses: ServedSet = new ServedSet();
  readonly authorizations: ServedSet = new ServedSet();
  /** By node. */
  readonly #enrolledPods = new Map<string, ServedSet>();
  /** By `namespace/name` of the Gateway. One that is gone stays, empty: its proxies may live for a while. */
  readonly #waypoints = new Map<string, ServedWaypoint>();

  /** To be called after each round. */
  follow({ mesh, waypoints }: Derivation): void {
    followAll(mesh.addresses, this.addresses);
    followAll(mesh.authorizations, this.authorizations);
    this.#followPods(mesh.enrolledPods);
    for (const type of WAYPOINT_TYPES) this.#followWaypoints(type, waypoints[type]);
  }

  enrolledPods(node: string): ServedSet {
    const known = this.#enrolledPods.get(node);
    if (known !== undefined) return known;
    const set = new ServedSet();
    this.#enrolledPods.set(node, set);
    return set;
  }

  /** Null for what is no waypoint. */
  waypoint(key: string): ServedWaypoint | null {
    const known = this.#waypoints.get(key);
    // Every waypoint has the clusters of its tunnels.
    return known === undefined || known.clusters.size === 0 ? null : known;
  }

  /** All sets by type and owner, for people. */
  *all(): Iterable<readonly [string, ServedSet]> {
    yield ['addresses', this.addresses];
    yield ['authorizations', this.authorizations];
    for (const [node, set] of this.#enrolledPods) yield [`enrolledPods/${node}`, set];
    for (const [key, served] of this.#waypoints) {
      for (const type of WAYPOINT_TYPES) yield [`${type}/${key}`, served[type]];
    }
  }

  #followPods({ changes }: Collection<PlacedPod>): void {
    for (const [uid, { before, now }] of changes) {
      if (before !== undefined && before.node !== now?.node) {
        this.enrolledPods(before.node).remove(uid);
      }
      if (now !== undefined) this.enrolledPods(now.node).put(now.resource);
    }
  }

  #followWaypoints(type: keyof ServedWaypoint, { changes }: Collection<OwnedResource>): void {
    for (const { before, now } of changes.values()) {
      if (now !== undefined) this.#setsOf(now.waypoint)[type].put(now.resource);
      else if (before !== undefined) {
        this.#setsOf(before.waypoint)[type].remove(before.resource.name);
      }
    }
  }

  #setsOf(key: string): ServedWaypoint {
    let sets = this.#waypoints.get(key);
    if (sets === undefined) {
      sets = { clusters: new ServedSet(), endpoints: new ServedSet(), listeners: new ServedSet() };
      this.#waypoints.set(key, sets);
    }
    return sets;
  }
}

function followAll({ changes }: Collection<Resource>, set: ServedSet): void {
  for (const [name, { now }] of changes) {
    if (now === undefined) set.remove(name);
    else set.put(now);
  }
}
