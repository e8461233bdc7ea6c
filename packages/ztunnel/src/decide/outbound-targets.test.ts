import type { GatewayAddress, Service, Workload } from '@aquifer/model';
import { describe, expect, test } from 'vitest';
import { aService, aWorkload, HTTP_PORT } from '../../../../test/fixtures/mesh-objects.ts';
import { aSnapshot } from '../../../../test/fixtures/mesh-snapshot.ts';
import { chooseEndpoint } from './endpoint-choice.ts';
import { decideOutbound } from './outbound-route.ts';

const KEY = 'shop/example.shop.svc.cluster.local';
const source = aWorkload({ name: 'source', addresses: ['127.0.0.1', '::1'], node: 'local-node' });
const example = aService({ name: 'example', vip: '127.0.0.3' });
const waypointPod = aWorkload({ name: 'waypoint', addresses: ['127.0.0.10'] });
const dualWaypoint = aWorkload({ name: 'dual', addresses: ['127.0.0.11', 'ff06::c5'] });

function byAddress(address: string): GatewayAddress {
  return { destination: { kind: 'address', network: '', address }, hboneMtlsPort: 15_008 };
}

interface Mesh {
  readonly workloads?: readonly Workload[];
  readonly services?: readonly Service[];
  readonly source?: Workload;
  readonly random?: number;
  readonly network?: string;
}

function decide(target: string, mesh: Mesh) {
  const { workloads = [], services = [], network = '' } = mesh;
  const [, ip = '', port = ''] = /^\[?([^\]]+)\]?:(\d+)$/.exec(target) ?? [];
  const all = [source, waypointPod, dualWaypoint, ...workloads];
  return decideOutbound(aSnapshot(all, services), {
    source: mesh.source ?? source,
    originalDst: { ip, port: Number(port) },
    network,
    random: () => mesh.random ?? 0,
    avoid: new Set(),
    resolved: new Map(),
  });
}

/** `protocol, authority, where to`; a dash for no authority, and `denied` alone. */
function triple(target: string, mesh: Mesh): string {
  const decision = decide(target, mesh);
  if (decision.kind === 'deny' || decision.kind === 'resolve') return decision.kind;
  const { kind, nextHop } = decision;
  const authority = decision.kind === 'tcp' ? '-' : decision.authority;
  return `${kind}, ${authority}, ${nextHop.ip}:${nextHop.port}`;
}

function pod(fields: Partial<Omit<Workload, 'services'>>): Workload {
  return aWorkload({ name: 'pod', addresses: ['127.0.0.2'], node: 'remote-node', ...fields });
}

const here = { node: 'local-node' };
const tcp = { protocol: 'tcp' } as const;
const passthrough: Service = {
  ...aService({ name: 'example', vip: '1.2.3.4' }),
  loadBalancing: { mode: 'passthrough', routingPreference: [], healthPolicy: 'only-healthy' },
};
const behindWaypoint = { ...source, waypoint: byAddress('127.0.0.10') };

test.for<readonly [row: string, target: string, expected: string, mesh: Mesh]>([
  ['nobody that the mesh knows (C020)', '1.2.3.4:80', 'tcp, -, 1.2.3.4:80', {}],
  [
    'a pod of another node without HBONE (C027)',
    '127.0.0.2:80',
    'tcp, -, 127.0.0.2:80',
    { workloads: [pod(tcp)] },
  ],
  [
    'a pod of another node with HBONE (C028)',
    '127.0.0.2:80',
    'hbone, 127.0.0.2:80, 127.0.0.2:15008',
    { workloads: [pod({})] },
  ],
  [
    'a pod of the same node without HBONE (C029)',
    '127.0.0.2:80',
    'tcp, -, 127.0.0.2:80',
    { workloads: [pod({ ...tcp, ...here })] },
  ],
  [
    'a pod of the same node with HBONE (C029)',
    '127.0.0.2:80',
    'hbone, 127.0.0.2:80, 127.0.0.2:15008',
    { workloads: [pod(here)] },
  ],
  [
    'a pod, from one that has a waypoint itself (C030)',
    '127.0.0.2:80',
    'tcp, -, 127.0.0.2:80',
    { workloads: [pod(tcp)], source: behindWaypoint },
  ],
  [
    'a pod with a waypoint (C031)',
    '127.0.0.2:80',
    'hbone, 127.0.0.2:80, 127.0.0.10:15008',
    { workloads: [pod({ waypoint: byAddress('127.0.0.10') })] },
  ],
  [
    'an IPv6 address whose waypoint is an IPv4 one (C032)',
    '[ff06::c3]:80',
    'hbone, [ff06::c3]:80, 127.0.0.11:15008',
    { workloads: [pod({ addresses: ['ff06::c3'], waypoint: byAddress('127.0.0.11') })] },
  ],
  [
    'a service with a waypoint and no endpoints (C033)',
    '127.0.0.3:80',
    'hbone, 127.0.0.3:80, 127.0.0.10:15008',
    { services: [{ ...example, waypoint: byAddress('127.0.0.10') }] },
  ],
  ['a service with neither (C034)', '127.0.0.3:80', 'deny', { services: [example] }],
  ['a passthrough service (C040)', '1.2.3.4:80', 'tcp, -, 1.2.3.4:80', { services: [passthrough] }],
  [
    'a passthrough service with a waypoint (C041)',
    '1.2.3.4:80',
    'hbone, 1.2.3.4:80, 127.0.0.10:15008',
    { services: [{ ...passthrough, waypoint: byAddress('127.0.0.10') }] },
  ],
])('a connection to %s: %s goes to %s', ([, target, expected, mesh]) => {
  expect(triple(target, mesh)).toBe(expected);
});

test('of a service with a named port only endpoints that map it are taken (C035)', () => {
  const named = { ...example, ports: [{ ...HTTP_PORT, targetPort: 0 }] };
  const at = (ip: string, targetPort: number): Workload => ({
    ...pod({ ...tcp, uid: ip, addresses: [ip] }),
    services: new Map([[KEY, targetPort === 0 ? [] : [{ ...HTTP_PORT, targetPort }]]]),
  });
  const workloads = [at('127.0.0.5', 0), at('127.0.0.2', 1234), at('127.0.0.6', 0)];
  for (const random of [0, 0.5, 0.99]) {
    const mesh = { workloads, services: [named], random };
    expect(triple('127.0.0.3:80', mesh)).toBe('tcp, -, 127.0.0.2:1234');
  }
});

describe('of two pods on the network of the node', () => {
  const onNode = (name: string, services: readonly string[]): Workload =>
    aWorkload({
      name,
      ...tcp,
      addresses: ['127.0.0.2'],
      networkMode: 'host-network',
      services: [...services],
    });
  const mesh = { workloads: [onNode('pod1', [KEY]), onNode('pod2', [])], services: [example] };

  test('a service leads to its own (C036)', () => {
    expect(decide('127.0.0.3:80', mesh)).toMatchObject({
      kind: 'tcp',
      nextHop: { ip: '127.0.0.2', port: 8080 },
      destination: { name: 'pod1' },
    });
  });

  test('the address that they share is nobody’s (C037)', () => {
    expect(decide('127.0.0.2:80', mesh)).toMatchObject({
      kind: 'tcp',
      nextHop: { ip: '127.0.0.2', port: 80 },
      destination: null,
    });
  });
});

test.for([
  ['127.0.0.2', '127.0.0.2:80'],
  ['ff06::c3', '[ff06::c3]:80'],
] as const)(
  'a pod of two families is dialled at %s if that was aimed at (C038)',
  ([ip, target]) => {
    const workloads = [pod({ addresses: ['127.0.0.2', 'ff06::c3'] })];
    expect(decide(target, { workloads })).toMatchObject({ nextHop: { ip } });
  },
);

test.for([
  ['ipv6-only', '127.0.0.3', 'ff06::c3'],
  ['ipv4-only', '127.0.0.3', '127.0.0.2'],
  ['dual', '127.0.0.3', '127.0.0.2'],
  ['dual', '::3', 'ff06::c3'],
] as const)(
  'a pod of two families behind a service that is %s, at %s, is dialled at %s (C039)',
  ([ipFamilies, vip, ip]) => {
    const workloads = [
      aWorkload({ name: 'pod', addresses: ['127.0.0.2', 'ff06::c3'], services: [KEY] }),
    ];
    const services = [{ ...example, ...aService({ name: 'example', vip }), ipFamilies }];
    const target = vip.includes(':') ? `[${vip}]:80` : `${vip}:80`;
    expect(decide(target, { workloads, services })).toMatchObject({ nextHop: { ip } });
  },
);

describe('of the waypoints of a service', () => {
  const [one, other, fallback] = ['127.0.0.20', '127.0.0.21', '127.0.0.22'] as const;
  const workloads = [one, other, fallback].map((ip) =>
    aWorkload({ name: `wp-${ip}`, addresses: [ip] }),
  );

  function taken(weights: readonly number[], random: number): string {
    const weightedWaypoints = weights.map((weight, i) => ({
      destination: byAddress(i === 0 ? one : other),
      weight,
    }));
    const services = [{ ...example, waypoint: byAddress(fallback), weightedWaypoints }];
    const decision = decide('127.0.0.3:80', { workloads, services, random });
    return decision.kind === 'hbone' ? decision.nextHop.ip : decision.kind;
  }

  test.for([
    { weights: [100, 0], expected: one },
    { weights: [0, 100], expected: other },
    { weights: [0, 0], expected: fallback },
    { weights: [], expected: fallback },
  ])('with the weights $weights $expected is taken (C042)', ({ weights, expected }) => {
    for (let random = 0; random < 1; random += 0.01) {
      expect(taken(weights, random)).toBe(expected);
    }
  });

  test('as many are taken as their weights say (C042, P167)', () => {
    const runs = Array.from({ length: 1000 }, (_, i) => taken([75, 25], i / 1000));
    expect(runs.filter((ip) => ip === one)).toHaveLength(750);
  });
});

test.for([
  ['the endpoint maps', { own: 9090, listed: 8080, tunnel: false }, 9090],
  ['the service maps', { own: 0, listed: 8080, tunnel: false }, 8080],
  ['nobody maps, but an application tunnel takes', { own: 0, listed: 0, tunnel: true }, 80],
] as const)('a port that %s: %o is %i (C043)', ([, { own, listed, tunnel }, expected]) => {
  const ports = listed === 0 ? [] : [{ ...HTTP_PORT, targetPort: listed }];
  const endpoint: Workload = {
    ...pod({ applicationTunnel: tunnel ? { protocol: 'proxy', port: 15_088 } : null }),
    services: new Map([[KEY, own === 0 ? [] : [{ ...HTTP_PORT, targetPort: own }]]]),
  };
  const service = { ...example, ports };
  const request = { source, port: 80, random: () => 0, avoid: new Set<string>() };
  const chosen = chooseEndpoint(aSnapshot([endpoint], [service]), service, {
    ...request,
    mode: 'waypoint',
  });
  expect(chosen?.port).toBe(expected);
});

test.for([
  ['nothing', 'away', 'r9/z9', []],
  ['the network and region', 'home', 'r1/z9', []],
  ['everything', 'home', 'r1/z1', ['match']],
] as const)(
  'a strict service is served to a caller that shares %s by its nearest only (C044)',
  ([, network, place, expected]) => {
    const locality = (text: string) => {
      const [region = '', zone = ''] = text.split('/');
      return { region, zone, subzone: '' };
    };
    const service: Service = {
      ...example,
      loadBalancing: {
        mode: 'strict',
        routingPreference: ['network', 'region', 'zone'],
        healthPolicy: 'only-healthy',
      },
    };
    const workloads = [
      ['match', 'r1/z1'],
      ['almost', 'r1/z2'],
      ['nowhere', ''],
    ].map(([name = '', at = '']) =>
      aWorkload({
        name,
        network: 'home',
        addresses: ['127.0.0.2'],
        locality: at === '' ? null : locality(at),
        services: [KEY],
      }),
    );
    const caller = { ...source, network, locality: locality(place) };
    const chosen = [0, 0.4, 0.9].map((random) => {
      const request = { source: caller, port: 80, random: () => random, avoid: new Set<string>() };
      const view = aSnapshot(workloads, [service]);
      return chooseEndpoint(view, service, { ...request, mode: 'standard' })?.workload.name;
    });
    expect([...new Set(chosen.filter((name) => name !== undefined))]).toEqual(expected);
  },
);

test('an endpoint without an address is never taken, unless a gateway leads to it (C046)', () => {
  const bare = aWorkload({ name: 'bare', services: [KEY] });
  const good = aWorkload({ name: 'good', addresses: ['127.0.0.2'], services: [KEY] });
  for (const random of [0, 0.5, 0.99]) {
    const mesh = { workloads: [bare, good], services: [example], random };
    expect(decide('127.0.0.3:80', mesh)).toMatchObject({ destination: { name: 'good' } });
  }
  expect(triple('127.0.0.3:80', { workloads: [bare], services: [example] })).toBe('deny');
});

describe('of a healthy and an unhealthy endpoint', () => {
  const workloads = (['healthy', 'unhealthy'] as const).map((status, i) =>
    aWorkload({ name: status, status, addresses: [`127.0.0.${i + 4}`], services: [KEY] }),
  );

  function taken(healthPolicy: 'only-healthy' | 'allow-all'): number {
    const loadBalancing = { mode: 'standard' as const, routingPreference: [], healthPolicy };
    const services = [{ ...example, loadBalancing }];
    const all = [0, 0.3, 0.6, 0.9].map((random) =>
      triple('127.0.0.3:80', { workloads, services, random }),
    );
    return new Set(all).size;
  }

  test.for([
    ['only-healthy', 1],
    ['allow-all', 2],
  ] as const)('a service that wants %s has %i (C133)', ([healthPolicy, count]) => {
    expect(taken(healthPolicy)).toBe(count);
  });

  test('a service has one or both each time that it changes its mind', () => {
    const minds = ['allow-all', 'only-healthy', 'allow-all'] as const;
    expect(minds.map(taken)).toEqual([2, 1, 2]);
  });
});

test('a virtual address belongs to its network, whose service leads to workloads here (C049)', () => {
  const remote = { ...example, addresses: [{ ...example.addresses[0]!, network: 'remote' }] };
  const mesh = {
    workloads: [aWorkload({ name: 'pod', ...tcp, addresses: ['127.0.0.2'], services: [KEY] })],
    services: [remote],
  };
  expect(triple('127.0.0.3:80', { ...mesh, network: 'remote' })).toBe('tcp, -, 127.0.0.2:8080');
  expect(triple('127.0.0.3:80', mesh)).toBe('tcp, -, 127.0.0.3:80');
});
