/** What is served, by type and by whom it is for; it follows the collections after each round. */
import type { Collection } from '../collections/collection.ts';
import type { Derivation } from '../derive/derivation.ts';
import type { OwnedResource } from '../derive/l7/owned-resource.ts';
import type { SidecarViews } from '../derive/l7/sidecar/views.ts';
import type { PlacedPod } from '../derive/pod-resources.ts';
import type { Resource } from '../derive/resource.ts';
import { JoinedSet } from './joined-set.ts';
import { type ResourceSet, ServedSet } from './served-set.ts';

/** What one waypoint is served. */
export interface ServedWaypoint {
  readonly clusters: ServedSet;
  readonly endpoints: ServedSet;
  readonly listeners: ServedSet;
}

/** What one sidecar, gateway or gRPC client is served. */
export interface ServedProxy {
  readonly clusters: ResourceSet;
  readonly endpoints: ResourceSet;
  readonly listeners: ResourceSet;
  readonly routes: ResourceSet;
  /** Of gateways only. */
  readonly secrets: ResourceSet;
}

/** What belongs to one view of the mesh. */
type ServedView = Readonly<Record<keyof ServedProxy, ServedSet>>;

const WAYPOINT_TYPES = ['clusters', 'endpoints', 'listeners'] as const;
const PROXY_TYPES = [...WAYPOINT_TYPES, 'routes'] as const;
const VIEW_TYPES = [...PROXY_TYPES, 'secrets'] as const;

export class ServedResources {
  readonly addresses: ServedSet = new ServedSet();
  readonly authorizations: ServedSet = new ServedSet();
  /** By node. */
  readonly #enrolledPods = new Family(
    () => new ServedSet(),
    (set) => set.isIdle,
  );
  /** By `namespace/name` of the Gateway. One that is gone stays, empty, while proxies of it live. */
  readonly #waypoints = new Family(
    (): ServedWaypoint => ({
      clusters: new ServedSet(),
      endpoints: new ServedSet(),
      listeners: new ServedSet(),
    }),
    (served) => WAYPOINT_TYPES.every((type) => served[type].isIdle),
  );
  /** By the key of the view. */
  readonly #views = new Family(
    (): ServedView => ({
      clusters: new ServedSet(),
      endpoints: new ServedSet(),
      listeners: new ServedSet(),
      routes: new ServedSet(),
      secrets: new ServedSet(),
    }),
    (served) => VIEW_TYPES.every((type) => served[type].isIdle),
  );
  /** By key, while they are connected. */
  readonly #proxies = new Map<string, ServedProxy>();

  /** To be called after each round. */
  follow({ mesh, waypoints, sidecars, grpcClients, gateways }: Derivation): void {
    followAll(mesh.addresses, this.addresses);
    followAll(mesh.authorizations, this.authorizations);
    this.#followPods(mesh.enrolledPods);
    for (const type of WAYPOINT_TYPES) {
      followOwned(waypoints[type], (owner) => this.#waypoints.at(owner)[type]);
    }
    for (const type of PROXY_TYPES) {
      for (const { [type]: owned } of [sidecars, grpcClients, gateways]) {
        followOwned(owned, (owner) => this.#views.at(owner)[type]);
      }
    }
    followOwned(gateways.secrets, (owner) => this.#views.at(owner).secrets);
    this.#followProxies(sidecars.views, (views) => this.#joined(views));
    this.#followProxies(gateways.views, ({ key }) => this.#views.at(key));
  }

  enrolledPods(node: string): ServedSet {
    return this.#enrolledPods.at(node);
  }

  /** Null for what is no waypoint. */
  waypoint(key: string): ServedWaypoint | null {
    const known = this.#waypoints.get(key);
    // Every waypoint has the clusters of its tunnels.
    return known === undefined || known.clusters.size === 0 ? null : known;
  }

  /** Null for a proxy that is not known, or not yet. */
  proxy(key: string): ServedProxy | null {
    return this.#proxies.get(key) ?? null;
  }

  /** All sets by type and owner, for people. */
  *all(): Iterable<readonly [string, ServedSet]> {
    yield ['addresses', this.addresses];
    yield ['authorizations', this.authorizations];
    for (const [node, set] of this.#enrolledPods.entries()) yield [`enrolledPods/${node}`, set];
    for (const [key, served] of this.#waypoints.entries()) {
      for (const type of WAYPOINT_TYPES) yield [`${type}/${key}`, served[type]];
    }
    for (const [key, served] of this.#views.entries()) {
      for (const type of VIEW_TYPES) yield [`${type}/${key}`, served[type]];
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

  /** After their views, which are not empty then. */
  #followProxies<View>({ changes }: Collection<View>, servedTo: (view: View) => ServedProxy): void {
    for (const [key, { now }] of changes) {
      if (now === undefined) this.#proxies.delete(key);
      else this.#proxies.set(key, servedTo(now));
    }
  }

  #joined({ inbound, outbound }: SidecarViews): ServedProxy {
    const [own, others] = [this.#views.at(inbound.key), this.#views.at(outbound.key)];
    return {
      clusters: new JoinedSet(own.clusters, others.clusters),
      endpoints: others.endpoints,
      listeners: new JoinedSet(own.listeners, others.listeners),
      routes: others.routes,
      secrets: others.secrets,
    };
  }
}

function followOwned(
  { changes }: Collection<OwnedResource>,
  setOf: (owner: string) => ServedSet,
): void {
  for (const { before, now } of changes.values()) {
    if (now !== undefined) setOf(now.owner).put(now.resource);
    else if (before !== undefined) setOf(before.owner).remove(before.resource.name);
  }
}

/** Above so many, members that nobody needs are looked for. */
const MAX_UNNEEDED = 100;

/** What is served to each of many owners. Owners come and go, and nobody says so: idle members are dropped now and then. */
class Family<Member> {
  readonly #make: () => Member;
  readonly #isIdle: (member: Member) => boolean;
  readonly #members = new Map<string, Member>();
  #tidyAt = MAX_UNNEEDED;

  constructor(make: () => Member, isIdle: (member: Member) => boolean) {
    this.#make = make;
    this.#isIdle = isIdle;
  }

  get(owner: string): Member | undefined {
    return this.#members.get(owner);
  }

  entries(): Iterable<readonly [string, Member]> {
    return this.#members;
  }

  /** Made if need be. */
  at(owner: string): Member {
    const known = this.#members.get(owner);
    if (known !== undefined) return known;
    if (this.#members.size >= this.#tidyAt) this.#tidy();
    const made = this.#make();
    this.#members.set(owner, made);
    return made;
  }

  #tidy(): void {
    for (const [owner, member] of this.#members) {
      if (this.#isIdle(member)) this.#members.delete(owner);
    }
    this.#tidyAt = 2 * this.#members.size + MAX_UNNEEDED;
  }
}

function followAll({ changes }: Collection<Resource>, set: ServedSet): void {
  for (const [name, { now }] of changes) {
    if (now === undefined) set.remove(name);
    else set.put(now);
  }
}
