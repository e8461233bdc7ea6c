import type { VirtualService } from '@aquifer/model/resources';
import { RouteSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { create, toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { messageRegistry } from '../../../../../test/fixtures/message-registry.ts';
import { MESH } from '../derivation.fixture.ts';
import type { Destination } from '../routing/route-rule.ts';
import { rulesOfVirtualService } from '../routing/virtual-service-rules.ts';
import { envoyRoute, type RouteCluster } from './envoy-route.ts';
import { outboundCluster } from './names.ts';
import { readRecorded, recordedObjects } from './recorded-waypoint.fixture.ts';

const registry = await messageRegistry();
const WEB = { port: 80, gateways: ['mesh'], namespace: 'shop', labels: { app: 'web' } };

interface Recording {
  readonly RouteConfiguration: {
    readonly 80: {
      readonly virtualHosts: readonly { readonly name: string; readonly routes: unknown }[];
    };
  };
}

function recordedRoutes(name: string): unknown {
  const { RouteConfiguration } = readRecorded<Recording>(name, 'xds-web.json');
  const hosts = RouteConfiguration[80].virtualHosts;
  return hosts.find((host) => host.name === 'cart.shop.svc.cluster.local:80')?.routes;
}

/** Those that a sidecar of shop/web has for cart. */
function routesOf(name: string): unknown {
  const services = recordedObjects(name).filter(({ kind }) => kind === 'VirtualService');
  const find = (namespace: string, wanted: string): VirtualService | undefined =>
    services.find(({ metadata }) => metadata.namespace === namespace && metadata.name === wanted) as
      | VirtualService
      | undefined;
  const target = {
    port: 80,
    origin: { namespace: 'shop', name: 'cart' },
    clusterOf: ({ host, subset, port }: Destination): RouteCluster => ({
      name: outboundCluster(port ?? 80, host ?? '', subset),
      authority: `${host}:${port ?? 80}`,
    }),
    hashOf: () => null,
  };
  const rules = rulesOfVirtualService(find('shop', 'cart')!, WEB, find, MESH);
  return rules.map((rule) =>
    toJson(RouteSchema, create(RouteSchema, envoyRoute(rule, target)), { registry }),
  );
}

test.for(['08-vs-match-sidecar', '09-vs-rewrite-redirect-direct', '10-vs-resilience'])(
  'a VirtualService is followed as recorded in %s',
  (name) => {
    expect(routesOf(name)).toEqual(recordedRoutes(name));
  },
);
