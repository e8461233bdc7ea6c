/** What Istio's control plane sends to waypoints (test/fixtures/golden/l7) is served, or refused for a reason. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ClusterLoadAssignmentSchema } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { RouteConfigurationSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import {
  createRegistry,
  type DescMessage,
  fromJson,
  type JsonObject,
  toBinary,
} from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { messageRegistry } from '../../../../test/fixtures/message-registry.ts';
import { RESOURCES } from '../data-plane/resources.ts';
import { KNOWN_TYPES } from './known-types.ts';

const GOLDEN = new URL('../../../../test/fixtures/golden/l7/', import.meta.url);

const KINDS = {
  Cluster: { kind: 'cluster', schema: ClusterSchema },
  ClusterLoadAssignment: { kind: 'endpoints', schema: ClusterLoadAssignmentSchema },
  Listener: { kind: 'listener', schema: ListenerSchema },
  RouteConfiguration: { kind: 'routes', schema: RouteConfigurationSchema },
} as const;

const PROXY_HEADER =
  'transport_socket.transport_socket: envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport is refused: no PROXY header is written';
/** By recording. Everything else is served. */
const REFUSED: Readonly<Record<string, Record<string, string>>> = {
  '17-dr-waypoint': {
    'Cluster inbound-vip|80|http/proxyp|cart.shop.svc.cluster.local': PROXY_HEADER,
    'Cluster inbound-vip|81|tcp/proxyp|cart.shop.svc.cluster.local': PROXY_HEADER,
  },
};

const registry = createRegistry(await messageRegistry(), KNOWN_TYPES);

type Kind = keyof typeof KINDS;
type Recording = Readonly<Partial<Record<Kind, Record<string, JsonObject>>>>;

function bodyOf(kind: Kind, { '@type': _type, ...json }: JsonObject): Uint8Array {
  const { schema } = KINDS[kind];
  return toBinary<DescMessage>(schema, fromJson<DescMessage>(schema, json, { registry }));
}

/** By kind and name, why it is refused. */
function refusals(recording: Recording): Record<string, string> {
  const found: Record<string, string> = {};
  for (const kind of Object.keys(KINDS) as Kind[]) {
    for (const [name, resource] of Object.entries(recording[kind] ?? {})) {
      const body = bodyOf(kind, resource);
      try {
        RESOURCES[KINDS[kind].kind].check(body);
      } catch (error) {
        found[`${kind} ${name}`] = (error as Error).message;
      }
    }
  }
  return found;
}

/** Other recordings are of other roles. */
const OF_WAYPOINTS = readdirSync(GOLDEN).filter((name) =>
  existsSync(new URL(`${name}/xds-waypoint.json`, GOLDEN)),
);

test.for(OF_WAYPOINTS)('%s is served, but for what is listed', (name) => {
  const text = readFileSync(new URL(`${name}/xds-waypoint.json`, GOLDEN), 'utf8');
  expect(refusals(JSON.parse(text) as Recording)).toEqual(REFUSED[name] ?? {});
});
