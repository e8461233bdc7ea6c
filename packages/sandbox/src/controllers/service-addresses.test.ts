import { expect, test } from 'vitest';
import type { ApiObject } from '../cluster-client.ts';
import { allocateServiceAddress } from './service-addresses.ts';

function service(name: string, spec: Record<string, unknown>): ApiObject {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'shop' }, spec };
}

test('a new Service gets a free address outside the part left for fixed ones', () => {
  const others = [service('a', { clusterIP: '10.96.7.7' })];
  for (let round = 0; round < 200; round++) {
    const { spec } = allocateServiceAddress(service('b', { ports: [{ port: 80 }] }), others);
    expect(spec.clusterIP).toMatch(/^10\.96\.\d+\.\d+$/);
    expect(spec.clusterIP).not.toMatch(/^10\.96\.0\./);
    expect(spec.clusterIP).not.toBe('10.96.7.7');
    expect(spec.clusterIPs).toEqual([spec.clusterIP]);
  }
});

test('a headless Service stays headless and an ExternalName has no address', () => {
  expect(allocateServiceAddress(service('a', { clusterIP: 'None' }), []).spec.clusterIPs).toEqual([
    'None',
  ]);
  const external = { type: 'ExternalName', externalName: 'example.com' };
  expect(allocateServiceAddress(service('a', external), []).spec).toEqual(external);
});

test('an update keeps the address and the node ports that were given before', () => {
  const spec = { type: 'NodePort', ports: [{ port: 80, protocol: 'TCP' }] };
  const stored = allocateServiceAddress(service('a', spec), []);
  const updated = allocateServiceAddress(service('a', spec), [stored], stored);
  expect(updated.spec).toEqual(stored.spec);
  expect(updated.spec.ports[0].nodePort).toBeGreaterThanOrEqual(30_000);
});

test.for([
  { why: 'is taken', address: '10.96.0.10', detail: 'already allocated' },
  { why: 'is outside the range', address: '10.97.0.1', detail: 'not in the valid range' },
])('a wish for an address that $why is refused with the field', ({ address, detail }) => {
  const others = [service('dns', { clusterIP: '10.96.0.10' })];
  expect(() => allocateServiceAddress(service('a', { clusterIP: address }), others)).toThrow(
    detail,
  );
});

test('changing the address of a Service is refused', () => {
  const stored = service('a', { clusterIP: '10.96.5.5' });
  expect(() =>
    allocateServiceAddress(service('a', { clusterIP: '10.96.5.6' }), [stored], stored),
  ).toThrow('may not change once set');
});
