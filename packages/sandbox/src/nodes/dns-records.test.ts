import { expect, test } from 'vitest';
import { DnsNames } from './dns-records.ts';

const slice = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { namespace: 'shop', labels: { 'kubernetes.io/service-name': 'db' } },
  addressType: 'IPv4',
  endpoints: [
    { addresses: ['10.244.1.2'], hostname: 'db-0', conditions: { ready: true } },
    { addresses: ['10.244.1.3'], conditions: { ready: false } },
  ],
  ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
};
const service = { apiVersion: 'v1', kind: 'Service' };
const names = new DnsNames(
  [
    {
      ...service,
      metadata: { name: 'web', namespace: 'shop' },
      spec: { clusterIP: '10.96.1.1', ports: [{ name: 'http', port: 80 }] },
    },
    { ...service, metadata: { name: 'db', namespace: 'shop' }, spec: { clusterIP: 'None' } },
    ...[
      ['bank', 'api.bank.example'],
      ['front', 'web.shop.svc.cluster.local'],
    ].map(([name = '', externalName = '']) => ({
      ...service,
      metadata: { name, namespace: 'shop' },
      spec: { type: 'ExternalName', externalName },
    })),
  ],
  [slice],
);

test('an ExternalName is an alias, with the address behind it where that is in the cluster', () => {
  const bank = { type: 'CNAME', name: 'bank.shop.svc.cluster.local', target: 'api.bank.example' };
  expect(names.lookup('bank.shop.svc.cluster.local', 'A')).toEqual([bank]);
  expect(names.lookup('front.shop.svc.cluster.local', 'A')).toMatchObject([
    { type: 'CNAME', target: 'web.shop.svc.cluster.local' },
    { type: 'A', address: '10.96.1.1' },
  ]);
});

test('a Service has its address, in any case of its name, and its ports as SRV', () => {
  const name = 'web.shop.svc.cluster.local';
  expect(names.lookup('Web.shop.svc.cluster.local', 'A')).toEqual([
    { type: 'A', name, address: '10.96.1.1' },
  ]);
  expect(names.lookup(`_http._tcp.${name}`, 'SRV')).toMatchObject([{ target: name, port: 80 }]);
});

test('a headless Service has the addresses of its ready pods, and names for those with a hostname', () => {
  const addresses = (name: string): unknown =>
    names.lookup(name, 'A')?.map((record) => record.type === 'A' && record.address);
  expect(addresses('db.shop.svc.cluster.local')).toEqual(['10.244.1.2']);
  expect(addresses('db-0.db.shop.svc.cluster.local')).toEqual(['10.244.1.2']);
});

test('a name without such records is empty, and an unknown name does not exist', () => {
  expect(names.lookup('web.shop.svc.cluster.local', 'AAAA')).toEqual([]);
  expect(names.lookup('nobody.shop.svc.cluster.local', 'A')).toBeNull();
  expect(names.lookup('web.shop.svc', 'A')).toBeNull();
});
