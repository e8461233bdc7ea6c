/** The servers of Gateways, by the port that a gateway listens on for them (spec l7 4.1; recordings l7/19 to 21). */

import type { ServicePort } from '@aquifer/model';
import { hasLabels } from '@aquifer/model/kubernetes';
import { keyOf } from '../../../ingest/cluster-inputs.ts';
import type { ObjectRef } from '../../../ingest/kinds.ts';
import type { ServerTls } from '../../gateway-api/gateway-listener.ts';
import { byAge, nameOf, namespaceOf } from '../../object.ts';
import { l7ProtocolOf, protocolNamed } from '../../protocol.ts';
import type { RuledBy, ServerSource, ServerSpec } from './server-sources.ts';

/** What becomes of connections: `https` and `tls` end the client's TLS, `passed` leads it on by the name that it asks for. */
type ServerKind = 'http' | 'https' | 'tls' | 'passed' | 'tcp';

interface ServerHost {
  /** Of VirtualServices that may use it; `*` for any. */
  readonly namespace: string;
  /** A name, or one that begins with `*`. */
  readonly name: string;
}

export interface GatewayServer {
  /** `namespace/name`, as rules name it. */
  readonly gateway: string;
  readonly source: ObjectRef;
  readonly ruledBy: RuledBy;
  readonly kind: ServerKind;
  /** The port as its Gateway names it; rules speak of that one. */
  readonly number: number;
  readonly hosts: readonly ServerHost[];
  readonly tls: ServerTls | null;
  /** Name of the route table; null where nothing is read as HTTP. */
  readonly routes: string | null;
}

/** What is listened on once. */
export interface GatewayPort {
  readonly address: string;
  readonly number: number;
  /** At least one; either all are `http`, or the first alone is `tcp`, or all look at the client's TLS. */
  readonly servers: readonly GatewayServer[];
}

/** Of a listener of the Gateway API, which the server is made of. */
export function listenerKeyOf({ source, gateway }: GatewayServer): string {
  return `${gateway}~${source.kind}`;
}

interface FrontService {
  /** `namespace/hostname`. */
  readonly key: string;
  readonly ports: readonly ServicePort[];
}

/** The gateway that serves. */
export interface Listening {
  readonly labels: Readonly<Record<string, string>>;
  /** Of each Service in front of it, where its ports lead. */
  readonly services: readonly FrontService[];
  readonly wildcard: string;
}

/** Of several servers of one port those come first whose Gateway is older; one that does not fit in there is left out. */
export function gatewayPorts(
  gateways: readonly ServerSource[],
  listening: Listening,
): readonly GatewayPort[] {
  const ports = new Map<string, OpenPort>();
  for (const gateway of gateways.toSorted(byAge)) {
    const services = frontOf(gateway, listening);
    if (services === null) continue;
    for (const spec of gateway.servers) {
      for (const number of portsBehind(spec.port.number, services)) {
        const server = serverOf(spec, gateway, number);
        const address = spec.bind || listening.wildcard;
        const key = `${address} ${number}`;
        const port = ports.get(key) ?? { address, number, servers: [], names: new Set<string>() };
        if (server === null || !fits(server, port)) continue;
        ports.set(key, port);
        port.servers.push(server);
        for (const { name } of server.hosts) port.names.add(name);
      }
    }
  }
  return Array.from(ports.values(), ({ address, number, servers }) => {
    return { address, number, servers };
  });
}

interface OpenPort extends GatewayPort {
  readonly servers: GatewayServer[];
  /** Of its servers' hosts. */
  readonly names: Set<string>;
}

/** Null if the proxy does not serve the Gateway, else the Services by which it is reached. */
function frontOf({ chosenBy }: ServerSource, listening: Listening): readonly FrontService[] | null {
  if (chosenBy.kind === 'labels') {
    return hasLabels(chosenBy.labels, listening.labels) ? listening.services : null;
  }
  const services = listening.services.filter(({ key }) =>
    chosenBy.hostnames.includes(key.slice(key.indexOf('/') + 1)),
  );
  return services.length === 0 ? null : services;
}

/** Where the gateway itself is reached by a port of its Service; what no Service has is listened on as it is. */
function portsBehind(number: number, services: readonly FrontService[]): ReadonlySet<number> {
  const found = services
    .flatMap(({ ports }) => ports)
    .filter(({ servicePort }) => servicePort === number)
    .map(({ targetPort }) => targetPort);
  return new Set(found.length > 0 ? found : [number]);
}

function fits(server: GatewayServer, { servers, names }: OpenPort): boolean {
  const [first] = servers;
  if (first === undefined) return true;
  if (first.kind === 'tcp' || server.kind === 'tcp') return false;
  if (first.kind === 'http' || server.kind === 'http') return first.kind === server.kind;
  // Two chains for one name would be refused by Envoy, with everything on the port.
  return !server.hosts.some(({ name }) => names.has(name));
}

/** Null for what is not served: TLS that is led on without rules, and protocols that are unknown. */
function serverOf(spec: ServerSpec, gateway: ServerSource, number: number): GatewayServer | null {
  const kind = kindOf(spec);
  if (kind === null) return null;
  const { port, hosts, bind = '', tls = null } = spec;
  const bound = bind === '' ? '' : `.${bind}`;
  const name = `${port.name}.${nameOf(gateway)}.${namespaceOf(gateway)}`;
  const tables: Partial<Record<ServerKind, string>> = {
    http: `http.${number}${bound}`,
    https: `https.${port.number}.${name}${bound}`,
  };
  return {
    gateway: keyOf(gateway),
    source: gateway.source,
    ruledBy: gateway.ruledBy,
    kind,
    number: port.number,
    hosts: hosts.map((text) => serverHost(text, namespaceOf(gateway))),
    tls,
    routes: tables[kind] ?? null,
  };
}

function kindOf({ port, tls }: ServerSpec): ServerKind | null {
  const protocol = protocolNamed(port.protocol);
  const { mode = 'PASSTHROUGH' } = tls ?? {};
  if (protocol === 'https' || protocol === 'tls') {
    if (mode === 'AUTO_PASSTHROUGH') return null;
    return mode === 'PASSTHROUGH' ? 'passed' : protocol;
  }
  const read = l7ProtocolOf(protocol);
  if (read === 'unknown') return null;
  if (read !== 'tcp') return 'http';
  return mode === 'PASSTHROUGH' ? 'tcp' : 'tls';
}

function serverHost(text: string, own: string): ServerHost {
  const slash = text.indexOf('/');
  const namespace = slash < 0 ? '*' : text.slice(0, slash);
  return {
    namespace: namespace === '.' ? own : namespace,
    name: text.slice(slash + 1).toLowerCase(),
  };
}
