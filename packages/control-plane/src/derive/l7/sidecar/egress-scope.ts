/** What a view of the mesh holds: all that is exported to its namespace, or what a Sidecar lists of it (spec l7 7.3). */
import { isDeepStrictEqual } from 'node:util';
import type { Sidecar } from '@aquifer/model/resources';
import type { MeshService } from '../../mesh-service.ts';
import { byAge, namespaceOf } from '../../object.ts';
import { type Protocol, protocolNamed } from '../../protocol.ts';
import { hostCovers, hostsOverlap } from '../../routing/hosts.ts';
import type { OutboundView } from './views.ts';

/** A port that a Sidecar names; `redirected` traffic reaches it without the application's doing. */
interface EgressPort {
  readonly number: number;
  readonly protocol: Protocol;
}

/** Services that are reached in one way; those of a listener with a port have that one only. */
export interface EgressListener {
  /** Null for the ports of the services. */
  readonly port: EgressPort | null;
  /** Empty for the addresses of the services. */
  readonly bind: string;
  readonly capture: 'redirected' | 'bound';
  /** What the listener lists. */
  readonly hosts: readonly Host[];
  /** Sorted by hostname, one for each. */
  readonly services: readonly MeshService[];
}

export interface EgressScope {
  readonly view: OutboundView;
  readonly listeners: readonly EgressListener[];
  /** Of all listeners, sorted by hostname, one for each, with all their ports that a listener has. */
  readonly services: readonly MeshService[];
  /** What becomes of traffic to what is not in the scope. */
  readonly unknownTraffic: 'passed' | 'refused';
}

/** Those of a namespace, or of all. */
export type ServicesIn = (namespace: string) => readonly MeshService[];
const ALL_NAMESPACES = '*';

export function egressScope(
  view: OutboundView,
  sidecar: Sidecar | undefined,
  servicesIn: ServicesIn,
  otherwise: EgressScope['unknownTraffic'],
): EgressScope {
  const listed = sidecar?.spec?.egress ?? [];
  const egress = listed.length === 0 ? [{ hosts: ['*/*'] }] : listed;
  const listeners = egress.map((listener) => egressListener(listener, view, servicesIn));
  const policy = sidecar?.spec?.outboundTrafficPolicy;
  const said = policy?.mode === 'ALLOW_ANY' ? 'passed' : 'refused';
  return {
    view,
    listeners,
    services: oneForEachHostname(
      listeners.flatMap(({ services }) => services),
      view.namespace,
    ),
    unknownTraffic: policy === undefined ? otherwise : said,
  };
}

type EgressSpec = NonNullable<NonNullable<Sidecar['spec']>['egress']>[number];

function egressListener(
  { port, bind = '', captureMode, hosts }: EgressSpec,
  view: OutboundView,
  servicesIn: ServicesIn,
): EgressListener {
  const number = port?.number ?? 0;
  const parsed = hosts.map((text) => hostOf(text, view.namespace));
  const listed = services(parsed, view, servicesIn);
  return {
    port: number === 0 ? null : { number, protocol: protocolNamed(port?.protocol ?? '') },
    bind,
    capture: captureMode === 'NONE' ? 'bound' : 'redirected',
    hosts: parsed,
    services: number === 0 ? listed : listed.flatMap((service) => withPort(service, number)),
  };
}

/** One entry of `hosts`. */
interface Host {
  readonly sense: 'seen' | 'hidden';
  /** `*` for all. */
  readonly namespace: string;
  /** A name, or one that begins with `*`. */
  readonly name: string;
}

/** `namespace/name`; `~/*` sees nothing, `~namespace/name` hides. */
function hostOf(text: string, own: string): Host {
  const slash = text.indexOf('/');
  const namespace = slash < 0 ? ALL_NAMESPACES : text.slice(0, slash);
  const name = text.slice(slash + 1);
  const sense = namespace.startsWith('~') ? 'hidden' : 'seen';
  const bare = namespace.replace(/^~/, '');
  return { sense, namespace: bare === '.' ? own : bare, name };
}

function services(hosts: readonly Host[], view: OutboundView, servicesIn: ServicesIn) {
  const seen = hosts.filter(({ sense }) => sense === 'seen');
  const hidden = hosts.filter(({ sense, namespace }) => sense === 'hidden' && namespace !== '');
  const namespaces = new Set(seen.map(({ namespace }) => namespace));
  const asked = namespaces.has(ALL_NAMESPACES) ? [ALL_NAMESPACES] : [...namespaces];
  const found = asked
    .flatMap(servicesIn)
    .filter((service) => isVisible(service, view.namespace))
    .filter((service) => seen.some((host) => matches(host, service)))
    .filter((service) => !hidden.some((host) => matches(host, service)));
  return oneForEachHostname(found, view.namespace);
}

/** All that clients of a namespace may see; sorted by hostname, one for each. */
export function visibleServices(namespace: string, servicesIn: ServicesIn): readonly MeshService[] {
  const visible = servicesIn(ALL_NAMESPACES).filter((service) => isVisible(service, namespace));
  return oneForEachHostname(visible, namespace);
}

/** Whether a listener lists names of a namespace that have to do with the host. */
export function isListed({ hosts }: EgressListener, namespace: string, host: string): boolean {
  const has = (sense: Host['sense'], overlap: (listed: string, host: string) => boolean): boolean =>
    hosts.some(
      (listed) =>
        listed.sense === sense &&
        (listed.namespace === ALL_NAMESPACES || listed.namespace === namespace) &&
        overlap(listed.name, host),
    );
  return has('seen', hostsOverlap) && !has('hidden', hostCovers);
}

/** Whether clients of a namespace may see it. */
function isVisible(service: MeshService, from: string): boolean {
  const { exportTo, visibility, resolution } = service;
  if (resolution === 'alias') return false;
  if (visibility === 'namespace' && namespaceOf(service) !== from) return false;
  return exportTo.includes('*') || exportTo.includes(from);
}

/** A wildcard takes names that end as it does, and wildcards that are no wider. */
function matches({ namespace, name }: Host, service: MeshService): boolean {
  if (namespace !== ALL_NAMESPACES && namespace !== namespaceOf(service)) return false;
  return hostCovers(name, service.hostname);
}

/** With that port alone; none of a service that lacks it. */
function withPort(service: MeshService, number: number): MeshService[] {
  const ports = service.ports.filter((port) => port.number === number);
  if (ports.length === 0) return [];
  return [ports.length === service.ports.length ? service : { ...service, ports }];
}

/** Of those with one hostname a Service, else that of the own namespace, else the oldest. Sorted by hostname. */
function oneForEachHostname(all: readonly MeshService[], own: string): MeshService[] {
  const found = new Map<string, MeshService>();
  for (const service of all) {
    const known = found.get(service.hostname);
    if (known === undefined || known === service) found.set(service.hostname, service);
    else found.set(service.hostname, chosen(known, service, own));
  }
  return [...found.values()].toSorted((a, b) => (a.hostname < b.hostname ? -1 : 1));
}

/** Two parts of one service are seen as the service with the ports of both. */
function chosen(one: MeshService, other: MeshService, own: string): MeshService {
  if (namespaceOf(one) === namespaceOf(other)) {
    const numbers = new Set(one.ports.map(({ number }) => number));
    const more = other.ports.filter(({ number }) => !numbers.has(number));
    return more.length === 0 ? one : { ...one, ports: [...one.ports, ...more] };
  }
  const rank = (service: MeshService): number =>
    (service.kind === 'Service' ? 0 : 2) + (namespaceOf(service) === own ? 0 : 1);
  const difference = rank(one) - rank(other) || byAge(one, other);
  return difference <= 0 ? one : other;
}

/** Whether both hold the same services, seen in the same way. */
export function isSameScope(before: EgressScope, now: EgressScope): boolean {
  return (
    before.view === now.view &&
    before.unknownTraffic === now.unknownTraffic &&
    isSameList(before.services, now.services) &&
    before.listeners.length === now.listeners.length &&
    before.listeners.every((listener, index) => isSameListener(listener, now.listeners[index]!))
  );
}

function isSameListener(before: EgressListener, now: EgressListener): boolean {
  return (
    isDeepStrictEqual(
      [before.port, before.bind, before.capture, before.hosts],
      [now.port, now.bind, now.capture, now.hosts],
    ) && isSameList(before.services, now.services)
  );
}

function isSameList<T>(before: readonly T[], now: readonly T[]): boolean {
  return before.length === now.length && before.every((item, index) => item === now[index]);
}
