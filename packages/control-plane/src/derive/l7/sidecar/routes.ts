/** Routes of sidecars as Envoy takes them (recordings l7/02, 22, 30). */
import {
  type RouteActionSchema,
  RouteConfigurationSchema,
  VirtualHostSchema,
} from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { DEFAULT_RETRIES } from '../../routing/route-rule.ts';
import { retryPolicy } from '../envoy-retry.ts';
import type { HashPolicyInit, RouteInit } from '../envoy-route.ts';
import { outboundCluster, PASSTHROUGH } from '../names.ts';
import { type Init, seconds } from '../packed.ts';
import type { RouteTable, VirtualHost } from './outbound-routes.ts';

type ActionInit = Init<typeof RouteActionSchema>;

/** Envoy's own limit is 4 KiB. */
const MAX_DIRECT_BODY_BYTES = 1_048_576;
const BAD_GATEWAY = 502;
const ANY_PATH: RouteInit['match'] = { pathSpecifier: { case: 'prefix', value: '/' } };

function toCluster(cluster: string): ActionInit {
  return {
    clusterSpecifier: { case: 'cluster', value: cluster },
    timeout: seconds(0),
    maxGrpcTimeout: seconds(0),
  };
}

/** Everything to the service itself. */
export function defaultRoute(
  { hostname, port }: Pick<VirtualHost, 'hostname' | 'port'>,
  hash: HashPolicyInit | null,
): RouteInit {
  return {
    name: 'default',
    match: ANY_PATH,
    decorator: { operation: `${hostname}:${port}/*` },
    action: {
      case: 'route',
      value: {
        ...toCluster(outboundCluster(port, hostname)),
        retryPolicy: retryPolicy(DEFAULT_RETRIES, hash !== null),
        hashPolicy: hash === null ? [] : [hash],
      },
    },
  };
}

/** One virtual host, marshalled. */
export function encodeVirtualHost(
  { hostname, port, domains }: Pick<VirtualHost, 'hostname' | 'port' | 'domains'>,
  routes: RouteInit[],
): Uint8Array {
  return marshalled({ name: `${hostname}:${port}`, domains: [...domains], routes });
}

export function marshalled(init: Init<typeof VirtualHostSchema>): Uint8Array {
  const host = create(VirtualHostSchema, { ...init, includeRequestAttemptCount: true });
  return toBinary(VirtualHostSchema, host);
}

function everything(name: string, action: NonNullable<RouteInit['action']>): Uint8Array {
  return marshalled({ name, domains: ['*'], routes: [{ name, match: ANY_PATH, action }] });
}

const UNKNOWN_HOSTS: Readonly<Record<'passed' | 'refused', Uint8Array>> = {
  passed: everything('allow_any', { case: 'route', value: toCluster(PASSTHROUGH) }),
  refused: everything('block_all', { case: 'directResponse', value: { status: BAD_GATEWAY } }),
};

const { number: HOSTS_FIELD } = RouteConfigurationSchema.field.virtualHosts;

/** A table with virtual hosts that are marshalled already: parts of a repeated field may follow each other anywhere. */
export function encodeRouteTable(
  { name, unknownHosts }: Pick<RouteTable, 'name' | 'unknownHosts'>,
  hosts: readonly Uint8Array[],
): Uint8Array {
  const table = create(RouteConfigurationSchema, {
    name,
    validateClusters: false,
    ignorePortInHostMatching: true,
    maxDirectResponseBodySizeBytes: MAX_DIRECT_BODY_BYTES,
  });
  const all = unknownHosts === null ? hosts : [...hosts, UNKNOWN_HOSTS[unknownHosts]];
  const writer = new BinaryWriter();
  for (const host of all) writer.tag(HOSTS_FIELD, WireType.LengthDelimited).bytes(host);
  return Buffer.concat([toBinary(RouteConfigurationSchema, table), writer.finish()]);
}
