import type { EndpointSlice, Service } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { MESH, SETTINGS } from './derivation.fixture.ts';
import { deriveEndpointWorkloads, manualEndpoints, podTarget } from './endpoints.ts';
import { type MeshService, meshServiceOf } from './mesh-service.ts';

const PORTS = [{ name: 'http', port: 80, targetPort: 8080 }];

function service(spec: object = {}): MeshService {
  const object = {
    kind: 'Service',
    metadata: { namespace: 'shop', name: 'ext' },
    spec: { ports: PORTS, ...spec },
  };
  return meshServiceOf(object as Service, SETTINGS);
}

function slice(rest: object): EndpointSlice {
  const labels = { 'kubernetes.io/service-name': 'ext' };
  return {
    kind: 'EndpointSlice',
    metadata: { namespace: 'shop', name: 'ext-a', labels },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.2.0.1'] }],
    ports: [{ name: 'http', port: 9080, protocol: 'TCP' }],
    ...rest,
  } as unknown as EndpointSlice;
}

const TARGET = { kind: 'Pod', namespace: 'shop', name: 'p', uid: 'u1' };

/** What recording 11 does not show, as no recorded object can know a pod's uid. */
test.for([
  { target: {}, isListed: true },
  { target: { uid: 'u2' }, isListed: false },
  { target: { name: 'q' }, isListed: false },
  { target: { namespace: undefined }, isListed: false },
  { target: { namespace: 'other' }, isListed: false },
])('a slice that refers to a pod with $target lists it: $isListed', ({ target, isListed }) => {
  const endpoints = [{ addresses: ['10.1.0.1'], targetRef: { ...TARGET, ...target } }];
  const found = manualEndpoints(slice({ endpoints }), service());
  const pod = podTarget({ namespace: 'shop', name: 'p', uid: 'u1' });
  expect(found?.pods.includes(pod)).toBe(isListed);
});

test('neither an FQDN slice nor one of an ExternalName Service leads to a pod or an address', () => {
  const endpoints = [{ addresses: ['10.1.0.1'], targetRef: TARGET }];
  const external = service({ type: 'ExternalName' });
  expect(manualEndpoints(slice({ endpoints, addressType: 'FQDN' }), service())).toBeNull();
  expect(manualEndpoints(slice({ endpoints }), external)).toBeNull();
  expect(deriveEndpointWorkloads(slice({}), external, MESH)).toEqual([]);
});

test('an endpoint is named by its first address as it is written', () => {
  const endpoints = [{ addresses: ['FD00::0:1'] }];
  const [workload] = deriveEndpointWorkloads(slice({ endpoints }), service(), MESH);
  expect(workload?.uid).toBe('Kubernetes/discovery.k8s.io/EndpointSlice/shop/ext-a/FD00::0:1');
  expect(workload?.addresses).toEqual(['fd00::1']);
});
