import type { GatewayAddress, Service, Workload } from '@aquifer/model';
import { describe, expect, test } from 'vitest';
import { aService, aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { aSnapshot } from '../../../../test/fixtures/mesh-snapshot.ts';
import { decideOutbound } from './outbound-route.ts';

const KEY = 'shop/example.com';
const source = aWorkload({ name: 'client', addresses: ['127.0.0.1'] });
const example: Service = {
  ...aService({ name: 'example', vip: '127.0.0.3' }),
  hostname: 'example.com',
  subjectAltNames: ['spiffe://cluster.local/ns/shop/sa/example'],
};
const local = aWorkload({ name: 'local', addresses: ['127.0.0.2'], services: [KEY] });
const remote = aWorkload({ name: 'remote', network: 'remote', services: [KEY] });
const gateway = aWorkload({ name: 'gateway', addresses: ['10.22.1.1'] });
const byAddress: GatewayAddress = {
  destination: { kind: 'address', network: '', address: '10.22.1.1' },
  hboneMtlsPort: 15_009,
};
const byHostname: GatewayAddress = {
  destination: { kind: 'hostname', namespace: 'shop', hostname: 'gateway.shop.svc.cluster.local' },
  hboneMtlsPort: 15_009,
};
const gatewayService = aService({
  name: 'gateway',
  vip: '10.96.0.8',
  ports: [{ servicePort: 15_009, targetPort: 15_008, appProtocol: 'unknown' }],
});

function decide(
  workloads: readonly Workload[],
  services: readonly Service[],
  resolved: ReadonlyMap<string, readonly string[]> = new Map(),
) {
  return decideOutbound(aSnapshot([source, ...workloads], services), {
    source,
    originalDst: { ip: '127.0.0.3', port: 80 },
    network: '',
    random: () => 0,
    avoid: new Set(),
    resolved,
  });
}

describe('a service whose endpoint is on another network', () => {
  test('is refused without a gateway (C021)', () => {
    expect(decide([remote], [example])).toMatchObject({ kind: 'deny' });
    const withAddress = { ...remote, addresses: ['127.0.0.9'] };
    expect(decide([withAddress], [example])).toEqual({
      kind: 'deny',
      reason: 'no valid routing destination for workload',
    });
  });

  test('is reached through the gateway’s address, by its hostname (C022)', () => {
    const behind = { ...remote, networkGateway: byAddress };
    expect(decide([behind, gateway], [example])).toEqual({
      kind: 'double-hbone',
      nextHop: { ip: '10.22.1.1', port: 15_009 },
      authority: 'example.com:80',
      expectedSans: ['spiffe://cluster.local/ns/shop/sa/gateway'],
      innerSans: ['spiffe://cluster.local/ns/shop/sa/example'],
      destination: behind,
      service: example,
      isChoice: true,
    });
  });

  test('is reached through an endpoint of the gateway’s service (C023)', () => {
    const behind = { ...remote, networkGateway: byHostname };
    const instance = aWorkload({
      name: 'gateway-1',
      addresses: ['127.0.0.5'],
      services: ['shop/gateway.shop.svc.cluster.local'],
    });
    expect(decide([behind, { ...instance }], [example, gatewayService])).toMatchObject({
      kind: 'double-hbone',
      nextHop: { ip: '127.0.0.5' },
      authority: 'example.com:80',
    });
  });

  test('is refused if the gateway is not known', () => {
    const behind = { ...remote, networkGateway: byHostname };
    expect(decide([behind], [example])).toEqual({
      kind: 'deny',
      reason: 'unknown network gateway: network gateway gateway.shop.svc.cluster.local not found',
    });
  });
});

test('a waypoint on another network is reached through its gateway, by the name of the service (C024)', () => {
  const waypoint = aWorkload({
    name: 'waypoint',
    network: 'remote',
    networkGateway: byAddress,
    services: ['shop/waypoint.shop.svc.cluster.local'],
  });
  const service = {
    ...example,
    waypoint: {
      destination: {
        kind: 'hostname' as const,
        namespace: 'shop',
        hostname: 'waypoint.shop.svc.cluster.local',
      },
      hboneMtlsPort: 15_008,
    },
  };
  const waypointService = aService({
    name: 'waypoint',
    vip: '',
    ports: gatewayService.ports.map((port) => ({ ...port, servicePort: 15_008 })),
  });
  expect(decide([waypoint, gateway], [service, waypointService])).toMatchObject({
    kind: 'double-hbone',
    nextHop: { ip: '10.22.1.1', port: 15_009 },
    authority: 'example.com:80',
  });
});

describe('failover by network', () => {
  const service: Service = {
    ...example,
    loadBalancing: {
      routingPreference: ['network'],
      mode: 'failover',
      healthPolicy: 'only-healthy',
    },
  };
  const behind = { ...remote, networkGateway: byAddress };

  test('stays where the client is (C025)', () => {
    expect(decide([behind, local, gateway], [service])).toMatchObject({
      kind: 'hbone',
      nextHop: { ip: '127.0.0.2', port: 15_008 },
      authority: '127.0.0.2:8080',
    });
  });

  test('goes to the other network when nobody is left (C026)', () => {
    const sick = { ...local, status: 'unhealthy' as const };
    expect(decide([behind, sick, gateway], [service])).toMatchObject({
      kind: 'double-hbone',
      nextHop: { ip: '10.22.1.1', port: 15_009 },
      authority: 'example.com:80',
    });
  });
});

describe('a workload that has only a hostname', () => {
  const named = aWorkload({
    name: 'named',
    hostname: 'db.example',
    protocol: 'tcp',
    services: [KEY],
  });

  test('has to be resolved first (C259)', () => {
    expect(decide([named], [example])).toEqual({ kind: 'resolve', workload: named });
  });

  test('is then dialled in the family that was aimed at', () => {
    const resolved = new Map([[named.uid, ['2001:db8::7', '203.0.113.7']]]);
    expect(decide([named], [example], resolved)).toMatchObject({
      kind: 'tcp',
      nextHop: { ip: '203.0.113.7', port: 8080 },
    });
  });

  test('is refused if it resolves to nothing', () => {
    expect(decide([named], [example], new Map([[named.uid, []]]))).toMatchObject({ kind: 'deny' });
  });
});
