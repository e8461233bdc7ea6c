/** What a change changes, for everybody who is served something. */
import { isDeepStrictEqual } from 'node:util';
import {
  TestCluster,
  type TestObject,
} from '../../../../packages/control-plane/src/derive/derivation.fixture.ts';
import { parseProxy } from '../../../../packages/control-plane/src/push/proxy.ts';
import { proxyNodeOf } from '../../../../packages/control-plane/src/push/proxy-node.ts';
import { ServedResources } from '../../../../packages/control-plane/src/push/served-resources.ts';
import type { ResourceSet } from '../../../../packages/control-plane/src/push/served-set.ts';
import { MESH, PROXIES, WAYPOINT } from './mesh.ts';

/** Listeners, routes, clusters, endpoints; addresses and policies of node proxies. Routes of a waypoint are in its listeners. */
export type Part = 'L' | 'R' | 'C' | 'E' | 'A' | 'P';

export type Observer = 'gateway' | 'sidecar' | 'waypoint' | 'ztunnel';

/** The parts that change, in the order of `Part`; empty: none. */
export type Marks = Readonly<Record<Observer, string>>;

type Sets = Readonly<Record<Observer, Readonly<Partial<Record<Part, ResourceSet>>>>>;

/** The marks of one round in which the objects change. */
export function marksOf(changed: readonly TestObject[]): Marks {
  const cluster = new TestCluster();
  connectProxies(cluster);
  const served = new ServedResources();
  cluster.put(...MESH);
  served.follow(cluster.derivation);
  const before = versionsIn(served);
  cluster.put(...changed);
  served.follow(cluster.derivation);
  const after = versionsIn(served);
  const marks = Object.entries(before).map(([observer, parts]) => {
    const now = after[observer as Observer];
    const different = Object.keys(parts).filter(
      (part) => !isDeepStrictEqual(parts[part as Part], now[part as Part]),
    );
    return [observer, different.join('')];
  });
  return Object.fromEntries(marks) as Marks;
}

type Versions = Readonly<Record<Observer, Readonly<Partial<Record<Part, Map<string, string>>>>>>;

/** By name: what somebody is served may come from another set after the change. */
function versionsIn(served: ServedResources): Versions {
  const observers = Object.entries(setsIn(served)).map(([observer, sets]) => {
    const parts = Object.entries(sets).map(([part, set]) => {
      const versions = Array.from(set.values(), ({ name, version }) => [name, version] as const);
      return [part, new Map(versions)];
    });
    return [observer, Object.fromEntries(parts)];
  });
  return Object.fromEntries(observers) as Versions;
}

export function connectProxies({ derivation }: TestCluster): void {
  for (const { id, metadata } of Object.values(PROXIES)) {
    const parsed = parseProxy(id, metadata);
    if (!parsed.ok) throw new Error(parsed.error);
    derivation.proxies.set(id, proxyNodeOf(parsed.value)!);
  }
}

function setsIn(served: ServedResources): Sets {
  const proxy = (id: string) => {
    const { listeners: L, routes: R, clusters: C, endpoints: E } = served.proxy(id)!;
    return { L, R, C, E };
  };
  const { listeners: L, clusters: C, endpoints: E } = served.waypoint(WAYPOINT)!;
  return {
    gateway: proxy(PROXIES.gateway.id),
    sidecar: proxy(PROXIES.sidecar.id),
    waypoint: { L, C, E },
    ztunnel: { A: served.addresses, P: served.authorizations },
  };
}
