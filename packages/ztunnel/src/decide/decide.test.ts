import type { GatewayAddress, Service, Workload } from '@aquifer/model';
import { describe, expect, test } from 'vitest';
import { aService, aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { aSnapshot } from '../../../../test/fixtures/mesh-snapshot.ts';
import { proxyPorts } from '../ports.ts';
import { chooseEndpoint } from './endpoint-choice.ts';
import { decideInbound, guessService } from './inbound-route.ts';
import { decideOutbound } from './outbound-route.ts';

const SERVER_KEY = 'shop/server.shop.svc.cluster.local';
const client = aWorkload({ name: 'client', addresses: ['10.0.0.1'] });
const server = aWorkload({ name: 'server', addresses: ['10.0.0.2'], services: [SERVER_KEY] });
const plain = aWorkload({ name: 'plain', addresses: ['10.0.0.3'], protocol: 'tcp' });
const service = aService({ name: 'server', vip: '10.96.0.1', subjectAltNames: ['spiffe://other'] });
const waypointService = aService({
  name: 'waypoint',
  vip: '10.96.0.9',
  ports: [{ servicePort: 15008, targetPort: 15008, appProtocol: 'unknown' }],
});
const waypointPod = aWorkload({
  name: 'waypoint-0',
  serviceAccount: 'waypoint',
  addresses: ['10.0.0.9'],
  services: ['shop/waypoint.shop.svc.cluster.local'],
});
const viaAddress: GatewayAddress = {
  destination: { kind: 'address', network: '', address: '10.96.0.9' },
  hboneMtlsPort: 15008,
};
const viaHostname: GatewayAddress = {
  destination: { kind: 'hostname', namespace: 'shop', hostname: 'waypoint.shop.svc.cluster.local' },
  hboneMtlsPort: 15008,
};

const everything = [client, server, plain, waypointPod];

function route(
  target: string,
  options: {
    services?: Service[];
    workloads?: Workload[];
    source?: Workload;
    random?: number;
    avoid?: Set<string>;
  } = {},
) {
  const {
    services = [service, waypointService],
    workloads = everything,
    source = client,
  } = options;
  const [, ip = '', port = ''] = /^\[?([^\]]+)\]?:(\d+)$/.exec(target) ?? [];
  return decideOutbound(aSnapshot(workloads, services), {
    source,
    originalDst: { ip, port: Number(port) },
    network: '',
    random: () => options.random ?? 0,
    avoid: options.avoid ?? new Set(),
    resolved: new Map(),
  });
}

describe('outbound', () => {
  test('to a captured workload tunnels to it and expects its identity', () => {
    expect(route('10.0.0.2:8080')).toMatchObject({
      kind: 'hbone',
      nextHop: { ip: '10.0.0.2', port: 15008 },
      authority: '10.0.0.2:8080',
      expectedSans: ['spiffe://cluster.local/ns/shop/sa/server'],
      service: null,
    });
  });

  test('to a service resolves the target port and accepts the service names too', () => {
    expect(route('10.96.0.1:80')).toMatchObject({
      kind: 'hbone',
      authority: '10.0.0.2:8080',
      expectedSans: ['spiffe://other', 'spiffe://cluster.local/ns/shop/sa/server'],
      service: { hostname: service.hostname },
    });
  });

  test('to a workload outside the mesh, or to a stranger, passes as it is', () => {
    expect(route('10.0.0.3:80')).toMatchObject({
      kind: 'tcp',
      nextHop: { ip: '10.0.0.3', port: 80 },
    });
    expect(route('192.0.2.1:443')).toMatchObject({ kind: 'tcp', destination: null });
  });

  test.for([
    ['a port that the service has not', '10.96.0.1:81', everything],
    ['a service without endpoints', '10.96.0.1:80', [client]],
    [
      'a service whose only endpoint is unhealthy',
      '10.96.0.1:80',
      [client, { ...server, status: 'unhealthy' as const }],
    ],
  ] as const)('to %s is refused', ([, target, workloads]) => {
    expect(route(target, { workloads: [...workloads] })).toEqual({
      kind: 'deny',
      reason: `no healthy upstream: ${target}`,
    });
  });

  test.for([viaAddress, viaHostname])(
    'to a service with a waypoint goes there, aiming on: %j',
    (waypoint) => {
      expect(
        route('10.96.0.1:80', { services: [{ ...service, waypoint }, waypointService] }),
      ).toMatchObject({
        kind: 'hbone',
        nextHop: { ip: '10.0.0.9', port: 15008 },
        authority: '10.96.0.1:80',
        expectedSans: ['spiffe://cluster.local/ns/shop/sa/waypoint'],
      });
    },
  );

  test('another instance of a waypoint is tried when one cannot be reached, also for the address of a pod', () => {
    const second = {
      ...waypointPod,
      uid: 'second',
      name: 'waypoint-1',
      addresses: ['10.0.0.10'],
    };
    const bound = { ...server, waypoint: viaHostname };
    const workloads = [client, bound, waypointPod, second];
    const services = [{ ...service, waypoint: viaHostname }, waypointService];
    for (const target of ['10.96.0.1:80', '10.0.0.2:8080']) {
      const first = route(target, { workloads, services });
      expect(first).toMatchObject({ nextHop: { ip: '10.0.0.9' }, isChoice: true });
      const avoid = new Set([waypointPod.uid]);
      const next = route(target, { workloads, services, avoid });
      expect(next).toMatchObject({ nextHop: { ip: '10.0.0.10' }, isChoice: true });
    }
    // A pod that was addressed itself is no choice: its refusal is the answer.
    expect(route('10.0.0.2:8080')).toMatchObject({ isChoice: false });
  });

  test('never bypasses a waypoint that cannot be found', () => {
    const decision = route('10.96.0.1:80', {
      services: [{ ...service, waypoint: viaAddress }],
      workloads: [client, server],
    });
    expect(decision).toMatchObject({
      kind: 'deny',
      reason: expect.stringContaining('unknown waypoint'),
    });
  });

  test('names the waypoint that it did not find', () => {
    const services = [{ ...service, waypoint: viaHostname }];
    expect(route('10.96.0.1:80', { services })).toEqual({
      kind: 'deny',
      reason: 'unknown waypoint: waypoint waypoint.shop.svc.cluster.local not found',
    });
  });

  test('from IPv6 to a waypoint given as an IPv4 address dials that address', () => {
    const waypoint = {
      destination: { kind: 'address' as const, network: '', address: '10.0.0.11' },
      hboneMtlsPort: 15008,
    };
    const workloads = [
      client,
      { ...server, addresses: ['fd00::2'], waypoint },
      aWorkload({ name: 'dual', addresses: ['fd00::11', '10.0.0.11'] }),
    ];
    expect(route('[fd00::2]:80', { workloads })).toMatchObject({
      authority: '[fd00::2]:80',
      nextHop: { ip: '10.0.0.11', port: 15008 },
    });
  });

  test('to a waypoint behind an application tunnel uses its port only where the waypoint says so (C253)', () => {
    const hop = (port: number, ports: Service['ports']) =>
      route('10.96.0.1:80', {
        services: [
          { ...service, waypoint: viaAddress },
          { ...waypointService, ports },
        ],
        workloads: [client, { ...waypointPod, applicationTunnel: { protocol: 'proxy', port } }],
      });
    expect(hop(15_088, [])).toMatchObject({ nextHop: { ip: '10.0.0.9', port: 15_008 } });
    expect(hop(0, [])).toMatchObject({ kind: 'deny' });
    expect(hop(0, waypointService.ports)).toMatchObject({ nextHop: { port: 15_008 } });
  });

  test('to a workload of another network is refused: only services are reached across networks', () => {
    const remote = { ...server, network: 'remote' };
    const decision = decideOutbound(aSnapshot([client, remote], []), {
      source: client,
      originalDst: { ip: '10.0.0.2', port: 80 },
      network: 'remote',
      random: () => 0,
      avoid: new Set(),
      resolved: new Map(),
    });
    expect(decision).toEqual({
      kind: 'deny',
      reason: 'no service for target address: 10.0.0.2:80',
    });
  });

  test('of the waypoint itself goes straight to the workload', () => {
    const behind = { ...server, waypoint: viaAddress };
    const workloads = [behind, waypointPod];
    expect(route('10.0.0.2:8080', { workloads, source: waypointPod })).toMatchObject({
      nextHop: { ip: '10.0.0.2', port: 15008 },
    });
    expect(route('10.0.0.2:8080', { workloads })).toMatchObject({ nextHop: { ip: '10.0.0.9' } });
  });

  test('prefers the nearest endpoints and, when strict, takes no other', () => {
    const near = { ...server, node: 'node-1' };
    const far = {
      ...aWorkload({ name: 'far', addresses: ['10.0.0.7'], services: [SERVER_KEY] }),
      node: 'node-2',
    };
    const withMode = (mode: 'failover' | 'strict'): Service => ({
      ...service,
      loadBalancing: { mode, routingPreference: ['node'], healthPolicy: 'only-healthy' },
    });
    const options = (mode: 'failover' | 'strict', workloads: Workload[]) => ({
      services: [withMode(mode)],
      workloads: [client, ...workloads],
      random: 0.99,
    });
    expect(route('10.96.0.1:80', options('failover', [near, far]))).toMatchObject({
      nextHop: { ip: '10.0.0.2' },
    });
    expect(route('10.96.0.1:80', options('failover', [far]))).toMatchObject({
      nextHop: { ip: '10.0.0.7' },
    });
    expect(route('10.96.0.1:80', options('strict', [far]))).toMatchObject({ kind: 'deny' });
  });
});

test.for([
  ['all of it', 'home', 'r1/z1', ['match']],
  ['network and region', 'home', 'r1/z9', ['match', 'almost']],
  ['the network only', 'home', 'r9/z9', ['match', 'almost', 'nowhere']],
  ['nothing', 'third', 'r9/z9', ['match', 'almost', 'nowhere', 'other']],
  ['region and zone, but not the network', 'third', 'r1/z1', ['match', 'other']],
] as const)(
  'failover with the network first, of a caller that shares %s (C045)',
  ([, network, locality, expected]) => {
    const at = (place: string) => {
      const [region = '', zone = ''] = place.split('/');
      return { region, zone, subzone: '' };
    };
    const endpoint = (name: string, ip: string, from: string, place: string) =>
      aWorkload({
        name,
        network: from,
        locality: place === '' ? null : at(place),
        addresses: [ip],
        services: [SERVER_KEY],
      });
    const workloads = [
      endpoint('match', '10.0.0.11', 'home', 'r1/z1'),
      endpoint('almost', '10.0.0.12', 'home', 'r1/z2'),
      endpoint('nowhere', '10.0.0.13', 'home', ''),
      endpoint('other', '10.0.0.14', 'away', 'r1/z1'),
    ];
    const failover: Service = {
      ...service,
      loadBalancing: {
        mode: 'failover',
        routingPreference: ['network', 'region', 'zone'],
        healthPolicy: 'only-healthy',
      },
    };
    const source = { ...client, network, locality: at(locality) };
    const view = aSnapshot(workloads, [failover]);
    const chosen = new Set(
      [0, 0.3, 0.6, 0.9].map((random) => {
        const request = { source, port: 80, random: () => random, avoid: new Set<string>() };
        return chooseEndpoint(view, failover, { ...request, mode: 'standard' })?.workload.name;
      }),
    );
    expect(chosen).toEqual(new Set(expected));
  },
);

test('an endpoint that failed is taken again only when there is no other', () => {
  const other = aWorkload({ name: 'other', addresses: ['10.0.0.8'], services: [SERVER_KEY] });
  const avoid = new Set([server.uid]);
  const workloads = [client, server, other];
  expect(route('10.96.0.1:80', { workloads, avoid })).toMatchObject({
    nextHop: { ip: '10.0.0.8' },
  });
  expect(route('10.96.0.1:80', { avoid })).toMatchObject({ nextHop: { ip: '10.0.0.2' } });
});

describe('inbound', () => {
  const store = aSnapshot(
    [client, server, { ...waypointPod }],
    [{ ...service, waypoint: viaAddress }, waypointService],
  );
  const decide = (
    authority: string,
    options: { method?: string; to?: Workload; toLoopback?: boolean } = {},
  ) => {
    const destination = options.to ?? server;
    const { method = 'CONNECT' } = options;
    const localIp = destination.addresses[0]!;
    const asked = { destination, method, authority, localIp, network: '' };
    const tunnelsToLoopback = options.toLoopback ?? true;
    return decideInbound(store, { ...asked, tunnelsToLoopback, proxyPorts: proxyPorts(false) });
  };

  test('is delivered to the pod own address only (C070, C076)', () => {
    expect(decide('10.0.0.2:8080')).toEqual({
      kind: 'forward',
      upstream: { ip: '10.0.0.2', port: 8080 },
      tunnelTarget: null,
    });
    expect(decide('10.0.0.1:8080')).toMatchObject({
      status: 400,
      reason: 'ip mismatch: 10.0.0.2 != 10.0.0.1',
    });
  });

  test('is delivered to a waypoint for the services it serves', () => {
    expect(decide('10.96.0.1:15009', { to: waypointPod })).toMatchObject({ kind: 'forward' });
  });

  const tunnelled = {
    ...waypointPod,
    applicationTunnel: { protocol: 'proxy', port: 15_088 },
  } as const;

  test.for([
    ['C073', '10.0.0.2:8080', { ip: '10.0.0.2', port: 8080 }],
    ['C075', '10.96.0.1:80', { ip: '10.96.0.1', port: 80 }],
    ['a hostname', 'server.shop.svc.cluster.local:80', { ip: '10.96.0.1', port: 80 }],
  ] as const)(
    'is delivered to an application tunnel, which is told the target (%s)',
    ([, authority, tunnelTarget]) => {
      expect(decide(authority, { to: tunnelled })).toMatchObject({
        upstream: { ip: '127.0.0.1', port: 15_088 },
        tunnelTarget,
      });
      expect(decide(authority, { to: tunnelled, toLoopback: false })).toMatchObject({
        upstream: { ip: '10.0.0.9', port: 15_088 },
      });
    },
  );

  test('is delivered without a header where the tunnel has none (C253)', () => {
    const plain = { ...waypointPod, applicationTunnel: { protocol: 'none', port: 0 } } as const;
    expect(decide('10.0.0.2:8080', { to: plain })).toEqual({
      kind: 'forward',
      upstream: { ip: '10.0.0.9', port: 8080 },
      tunnelTarget: null,
    });
  });

  test('resolves a hostname to the target port (C071)', () => {
    expect(decide('server.shop.svc.cluster.local:80')).toMatchObject({ upstream: { port: 8080 } });
    expect(decide('server.shop.svc.cluster.local:81')).toMatchObject({ status: 503 });
    expect(decide('nobody.test:80')).toMatchObject({ status: 503 });
  });

  test.for([
    ['GET', '10.0.0.2:8080', 400],
    ['CONNECT', 'nonsense', 400],
    ['CONNECT', '10.0.0.2:15008', 503],
    ['CONNECT', '10.0.0.2:15001', 503],
  ] as const)('%s %s is answered %i', ([method, authority, status]) => {
    expect(decide(authority, { method })).toMatchObject({ kind: 'deny', status });
  });

  test('is attributed to the service that the client named, else to one whose port fits', () => {
    expect(guessService(store, server, { hostname: service.hostname, port: 1 })?.name).toBe(
      'server',
    );
    expect(guessService(store, server, { hostname: null, port: 8080 })?.name).toBe('server');
    expect(guessService(store, server, { hostname: null, port: 1 })).toBeNull();
  });
});
