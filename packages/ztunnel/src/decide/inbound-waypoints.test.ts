import type { ApplicationTunnel, GatewayAddress, Workload } from '@aquifer/model';
import { describe, expect, test } from 'vitest';
import { aService, aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { aSnapshot } from '../../../../test/fixtures/mesh-snapshot.ts';
import { proxyPorts } from '../ports.ts';
import { decideInbound } from './inbound-route.ts';

const [CLIENT, SERVER, WAYPOINT] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'] as const;
const [SERVER_VIP, WAYPOINT_VIP] = ['10.10.0.1', '10.10.0.2'] as const;

function byAddress(address: string): GatewayAddress {
  return { destination: { kind: 'address', network: '', address }, hboneMtlsPort: 15_008 };
}

const byPod = byAddress(WAYPOINT);
const byVip = byAddress(WAYPOINT_VIP);
const byHostname: GatewayAddress = {
  destination: { kind: 'hostname', namespace: 'shop', hostname: 'waypoint.shop.svc.cluster.local' },
  hboneMtlsPort: 15_008,
};
const PROXY: ApplicationTunnel = { protocol: 'proxy', port: 15_088 };

/** What a pod makes of a CONNECT for the authority; `of` says whose waypoint the waypoint is. */
function decide(
  to: string,
  authority: string,
  of: {
    readonly workload?: GatewayAddress;
    readonly service?: GatewayAddress;
    readonly tunnel?: ApplicationTunnel;
  } = {},
) {
  const workloads: Workload[] = [
    aWorkload({ name: 'client', addresses: [CLIENT] }),
    aWorkload({
      name: 'server',
      addresses: [SERVER],
      waypoint: of.workload ?? null,
      services: ['shop/server.shop.svc.cluster.local'],
    }),
    aWorkload({
      name: 'waypoint',
      addresses: [WAYPOINT],
      applicationTunnel: of.tunnel ?? null,
      services: ['shop/waypoint.shop.svc.cluster.local'],
    }),
  ];
  const services = [
    aService({ name: 'server', vip: SERVER_VIP, waypoint: of.service ?? null }),
    aService({ name: 'waypoint', vip: WAYPOINT_VIP }),
  ];
  return decideInbound(aSnapshot(workloads, services), {
    destination: workloads.find(({ addresses }) => addresses.includes(to))!,
    method: 'CONNECT',
    authority,
    localIp: to,
    network: '',
    tunnelsToLoopback: false,
    proxyPorts: proxyPorts(false),
  });
}

function forwarded(ip: string, port: number, tunnelTarget: object | null = null) {
  return { kind: 'forward', upstream: { ip, port }, tunnelTarget };
}

test.for([
  ['by its address', { workload: byPod }],
  ['by the address of its service', { workload: byVip }],
  ['by the hostname of its service', { workload: byHostname }],
] as const)('a waypoint, named %s, takes what is for its workload (C072)', ([, of]) => {
  expect(decide(WAYPOINT, `${SERVER}:8080`, of)).toEqual(forwarded(WAYPOINT, 8080));
  const tunnelled = decide(WAYPOINT, `${SERVER}:8080`, { ...of, tunnel: PROXY });
  expect(tunnelled).toEqual(
    forwarded(WAYPOINT, 15_088, { kind: 'address', ip: SERVER, port: 8080 }),
  );
});

test.for([
  ['by its address', { service: byPod }],
  ['by the address of its service', { service: byVip }],
  ['by the hostname of its service', { service: byHostname }],
] as const)('a waypoint, named %s, takes what is for its service (C074)', ([, of]) => {
  expect(decide(WAYPOINT, `${SERVER_VIP}:8080`, of)).toEqual(forwarded(WAYPOINT, 8080));
  const tunnelled = decide(WAYPOINT, `${SERVER_VIP}:8080`, { ...of, tunnel: PROXY });
  const target = { kind: 'address', ip: SERVER_VIP, port: 8080 };
  expect(tunnelled).toEqual(forwarded(WAYPOINT, 15_088, target));
});

describe('an address is refused', () => {
  const mismatch = (to: string, ip: string) => ({
    kind: 'deny',
    status: 400,
    reason: `ip mismatch: ${to} != ${ip}`,
  });

  test('by a waypoint that is nobody’s of that address (C077)', () => {
    const of = { workload: byPod, service: byVip };
    expect(decide(WAYPOINT, `${CLIENT}:80`, of)).toEqual(mismatch(WAYPOINT, CLIENT));
  });

  test.for([
    ['a service, if it is that of a workload', SERVER, { service: byPod }],
    ['a service, named by its service, if it is that of a workload', SERVER, { service: byVip }],
    ['a workload, if it is that of a service', SERVER_VIP, { workload: byPod }],
    [
      'a workload, named by its service, if it is that of a service',
      SERVER_VIP,
      { workload: byVip },
    ],
  ] as const)('by the waypoint of %s (C078)', ([, ip, of]) => {
    expect(decide(WAYPOINT, `${ip}:80`, of)).toEqual(mismatch(WAYPOINT, ip));
  });
});

test('a hostname leads to the target port, listed or mapped by the pod alone (C081)', () => {
  const port = (targetPort: number) => [
    { servicePort: 80, targetPort, appProtocol: 'unknown' as const },
  ];
  for (const [listed, own] of [
    [8080, 0],
    [0, 8080],
  ] as const) {
    const service = aService({ name: 'server', vip: SERVER_VIP, ports: port(listed) });
    const destination = {
      ...aWorkload({ name: 'server', addresses: [SERVER] }),
      services: new Map([['shop/server.shop.svc.cluster.local', own === 0 ? [] : port(own)]]),
    };
    const request = {
      destination,
      method: 'CONNECT',
      localIp: SERVER,
      network: '',
      proxyPorts: proxyPorts(false),
    };
    const authority = 'server.shop.svc.cluster.local:80';
    const view = aSnapshot([destination], [service]);
    expect(decideInbound(view, { ...request, authority, tunnelsToLoopback: true })).toEqual(
      forwarded(SERVER, 8080),
    );
  }
});
