import type { Service } from '@aquifer/model';
import { expect, test } from 'vitest';
import { aService, aWorkload } from '../../../../test/fixtures/mesh-objects.ts';
import { aSnapshot } from '../../../../test/fixtures/mesh-snapshot.ts';
import { resolve } from './resolve.ts';

const ON_NW1 = { network: 'nw1', prefixLength: null } as const;
const ON_NW2 = { network: 'nw2', prefixLength: null } as const;

function kube(name: string, namespace: string, fields: Partial<Service> = {}): Service {
  const hostname = `${name}.${namespace}.svc.cluster.local`;
  return {
    ...aService({ name, vip: '' }),
    namespace,
    hostname,
    addresses: [],
    canonical: true,
    ...fields,
  };
}

/** A ServiceEntry. */
function external(
  hostname: string,
  ips: readonly string[],
  fields: Partial<Service> = {},
): Service {
  const addresses = ips.map((address) => ({ ...ON_NW1, address }));
  return {
    ...aService({ name: hostname, vip: '' }),
    namespace: 'ns1',
    hostname,
    addresses,
    canonical: false,
    ...fields,
  };
}

const services = [
  external('www.google.com', ['1.1.1.1']),
  kube('productpage', 'ns1', {
    addresses: [{ ...ON_NW1, address: '9.9.9.9' }],
    ipFamilies: 'ipv4-only',
  }),
  kube('example', 'ns2', { addresses: [{ ...ON_NW1, address: '10.10.10.10' }] }),
  kube('private', 'ns2', {
    addresses: [{ ...ON_NW1, address: '10.10.10.11' }],
    visibility: 'namespace',
  }),
  kube('mine', 'ns1', {
    addresses: [{ ...ON_NW1, address: '10.10.10.12' }],
    visibility: 'namespace',
  }),
  external('details.ns2.svc.cluster.remote', [
    '11.11.11.11',
    '12.12.12.12',
    '13.13.13.13',
    '14.14.14.14',
  ]),
  external('*.wildcard', ['10.10.10.10']),
  external('*.b.wildcard', ['11.11.11.11']),
  external('*.svc.mesh.company.net', ['10.1.2.3']),
  kube('remote', 'ns1', { addresses: [{ ...ON_NW2, address: '10.9.9.1' }] }),
  kube('both', 'ns1', {
    addresses: [
      { ...ON_NW1, address: '10.9.9.2' },
      { ...ON_NW2, address: '10.9.9.3' },
    ],
  }),
  external('range.io', [], {
    addresses: [{ network: 'nw1', address: '10.3.0.0', prefixLength: 16 }],
  }),
  kube('headless', 'ns1', {}),
  kube('headless6', 'ns1', { ipFamilies: 'ipv6-only' }),
  external('headless.io', []),
  external('preferred.io', ['10.10.10.210'], { namespace: 'ns3' }),
  external('preferred.io', ['10.10.10.211'], { namespace: 'preferred-ns' }),
  external('everywhere.io', ['10.10.10.112'], { namespace: 'ns3' }),
  external('everywhere.io', ['10.10.10.111'], { namespace: 'ns1' }),
  external('everywhere.io', ['10.10.10.113'], { namespace: 'preferred-ns' }),
  external('canonical.ns2.svc.cluster.local', ['10.10.10.220'], { namespace: 'preferred-ns' }),
  kube('canonical', 'ns2', { addresses: [{ ...ON_NW1, address: '10.10.10.221' }] }),
  external('canonical-local.ns2.svc.cluster.local', ['10.10.10.230'], { namespace: 'ns1' }),
  kube('canonical-local', 'ns2', { addresses: [{ ...ON_NW1, address: '10.10.10.231' }] }),
];

const pods = ['headless', 'headless6'].flatMap((service) =>
  [1, 2].map((i) =>
    aWorkload({
      name: `${service}-${i}`,
      namespace: 'ns1',
      network: 'nw1',
      addresses: [`30.30.30.${i}`, `2001:db8::${i}`],
      services: [`ns1/${service}.ns1.svc.cluster.local`],
    }),
  ),
);
const sick = aWorkload({
  name: 'headless-sick',
  namespace: 'ns1',
  network: 'nw1',
  addresses: ['30.30.30.9'],
  services: ['ns1/headless.ns1.svc.cluster.local'],
  status: 'unhealthy',
});

const mesh = aSnapshot([...pods, sick], services);
const SCOPE = {
  namespace: 'ns1',
  network: 'nw1',
  clusterDomain: 'cluster.local',
  preferredNamespace: 'preferred-ns',
};

/** `forward`, `none`, or the addresses with the name that owns them. */
function lookUp(name: string, type: 'A' | 'AAAA' = 'A'): string {
  const decision = resolve(mesh, { name, type }, SCOPE);
  if (decision.kind !== 'addresses') return decision.kind;
  const owner = decision.cname === null ? '' : `${decision.cname}: `;
  return owner + decision.addresses.toSorted().join(' ');
}

test.for([
  ['C203', 'www.google.com', '1.1.1.1'],
  ['C204', 'www.google.com.ns1.svc.cluster.local', 'www.google.com: 1.1.1.1'],
  ['C205', 'www.bing.com', 'forward'],
  ['C206', 'productpage', '9.9.9.9'],
  ['C206', 'productpage.ns1', '9.9.9.9'],
  ['C206', 'productpage.ns1.svc', '9.9.9.9'],
  ['C206', 'productpage.ns1.svc.cluster.local', '9.9.9.9'],
  ['C207', 'productpage.ns1.ns1.svc.cluster.local', 'productpage.ns1: 9.9.9.9'],
  ['C209', 'example.ns2', '10.10.10.10'],
  ['C209', 'example.ns2.svc', '10.10.10.10'],
  ['C209', 'example.ns2.svc.cluster.local', '10.10.10.10'],
  ['C209', 'example', 'forward'],
  ['C210', 'private.ns2', 'forward'],
  ['C210', 'mine', '10.10.10.12'],
  ['C211', 'details.ns2.svc.cluster.remote', '11.11.11.11 12.12.12.12 13.13.13.13 14.14.14.14'],
  ['C212', 'foo.wildcard', '10.10.10.10'],
  ['C212', 'a.b.wildcard', '11.11.11.11'],
  ['C212', 'foo.svc.mesh.company.net', '10.1.2.3'],
  ['C212', 'foo.wildcard.ns1.svc.cluster.local', '10.10.10.10'],
  ['C212', 'foo.svc.mesh.company.net.ns1.svc.cluster.local', '10.1.2.3'],
  ['C213', 'remote', 'none'],
  ['C213', 'both', '10.9.9.2'],
  ['no addresses of a range', 'range.io', 'forward'],
  ['C214, only endpoints that are well', 'headless', '30.30.30.1 30.30.30.2'],
  ['C214', 'headless6', 'none'],
  ['C215', 'headless.pod0.ns1.svc.cluster.local', 'forward'],
  ['C216', 'headless.io', 'forward'],
  ['C217', 'preferred.io', '10.10.10.211'],
  ['C217', 'everywhere.io', '10.10.10.111'],
  ['C217', 'canonical.ns2.svc.cluster.local', '10.10.10.221'],
  ['C217', 'canonical-local.ns2.svc.cluster.local', '10.10.10.230'],
] as const)('%s: %s is %s', ([, name, expected]) => {
  expect(lookUp(name)).toBe(expected);
});

test.for([
  ['C208', 'productpage', 'none'],
  ['C214', 'headless', '2001:db8::1 2001:db8::2'],
  ['C214', 'headless6', '2001:db8::1 2001:db8::2'],
  ['C205', 'www.bing.com', 'forward'],
] as const)('%s: %s over IPv6 is %s', ([, name, expected]) => {
  expect(lookUp(name, 'AAAA')).toBe(expected);
});

test('no name has addresses of IPv6 where that is switched off', () => {
  const question = { name: 'www.google.com', type: 'AAAA' } as const;
  const answer = resolve(mesh, question, { ...SCOPE, usesIpv6: false });
  expect(answer).toEqual({ kind: 'none', reason: 'wrong family' });
  const known = resolve(mesh, { ...question, type: 'A' }, { ...SCOPE, usesIpv6: false });
  expect(known).toMatchObject({ kind: 'addresses' });
});
