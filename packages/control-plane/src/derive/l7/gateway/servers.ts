/** The servers of Istio's Gateways, by the port that a gateway listens on for them (spec l7 4.1; recordings l7/19, 20). */
import type { ServicePort } from '@aquifer/model';
import type { IstioGateway } from '@aquifer/model/resources';
import { keyOf } from '../../../ingest/cluster-inputs.ts';
import { byAge, nameOf, namespaceOf } from '../../object.ts';
import { l7ProtocolOf, protocolNamed } from '../../protocol.ts';
import { hasLabels } from '../../selectors.ts';

type ServerSpec = NonNullable<NonNullable<IstioGateway['spec']>['servers']>[number];
export type ServerTls = NonNullable<ServerSpec['tls']>;

/** What becomes of connections: `https` and `tls` end the client's TLS, `passed` leads it on by the name that it asks for. */
type ServerKind = 'http' | 'https' | 'tls' | 'passed' | 'tcp';

interface ServerHost {
  /** Of VirtualServices that may use it; `*` for any. */
  readonly namespace: string;
  /** A name, or one that begins with `*`. */
  readonly name: string;
}

export interface GatewayServer {
  /** `namespace/name`. */
  readonly gateway: string;
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

/** The gateway that serves. */
export interface Listening {
  readonly labels: Readonly<Record<string, string>>;
  /** Of each Service in front of it, where its ports lead. */
  readonly services: readonly { readonly ports: readonly ServicePort[] }[];
  readonly wildcard: string;
}

/** Of several servers of one port those come first whose Gateway is older; one that does not fit in there is left out. */
export function gatewayPorts(
  gateways: readonly IstioGateway[],
  listening: Listening,
): readonly GatewayPort[] {
  const ports = new Map<string, GatewayPort>();
  for (const gateway of gateways.toSorted(byAge)) {
    const { selector = {}, servers = [] } = gateway.spec ?? {};
    if (!hasLabels(selector, listening.labels)) continue;
    for (const spec of servers) {
      for (const number of portsBehind(spec.port.number, listening)) {
        const server = serverOf(spec, gateway, number);
        const address = spec.bind || listening.wildcard;
        const key = `${address} ${number}`;
        const known = ports.get(key) ?? { address, number, servers: [] };
        if (server === null || !fits(server, known.servers)) continue;
        ports.set(key, { ...known, servers: [...known.servers, server] });
      }
    }
  }
  return [...ports.values()];
}

/** Where the gateway itself is reached by a port of its Service; what no Service has is listened on as it is. */
function portsBehind(number: number, { services }: Listening): ReadonlySet<number> {
  const found = services
    .flatMap(({ ports }) => ports)
    .filter(({ servicePort }) => servicePort === number)
    .map(({ targetPort }) => targetPort);
  return new Set(found.length > 0 ? found : [number]);
}

function fits(server: GatewayServer, known: readonly GatewayServer[]): boolean {
  const [first] = known;
  if (first === undefined) return true;
  if (first.kind === 'tcp' || server.kind === 'tcp') return false;
  if (first.kind === 'http' || server.kind === 'http') return first.kind === server.kind;
  // Two chains for one name would be refused by Envoy, with everything on the port.
  const taken = new Set(known.flatMap(({ hosts }) => hosts.map(({ name }) => name)));
  return !server.hosts.some(({ name }) => taken.has(name));
}

/** Null for what is not served: TLS that is led on without rules, and protocols that are unknown. */
function serverOf(spec: ServerSpec, gateway: IstioGateway, number: number): GatewayServer | null {
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
