import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ClusterLoadAssignmentSchema } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Dialer } from '../upstream/dialer.ts';
import { ANY_HOST } from './cluster.ts';
import { ClusterManager } from './cluster-manager.ts';

const POD = { ip: '10.244.1.7', port: 8080 };
const OTHER = { ip: '10.244.1.8', port: 8080 };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** As the control plane sends it: a cluster whose endpoint is a listener of Envoy's own. */
function managerOf(...clusters: JsonValue[]): ClusterManager {
  const dialer = new Dialer({ secureContext: () => null, trustedPrefixes: () => [], baggage: '' });
  const manager = new ClusterManager(dialer);
  for (const json of clusters) manager.upsertCluster(fromJson(ClusterSchema, json));
  return manager;
}

const INTERNAL = { envoyInternalAddress: { serverListenerName: 'connect_originate' } };
const ENCAP: JsonValue = {
  name: 'encap',
  type: 'STATIC',
  loadAssignment: {
    clusterName: 'encap',
    endpoints: [{ lbEndpoints: [{ endpoint: { address: INTERNAL } }] }],
  },
};

function tellPlain(manager: ClusterManager, ...ips: string[]): void {
  const lbEndpoints = ips.map((address) => ({
    endpoint: { address: { socketAddress: { address, portValue: 0 } } },
    metadata: { filterMetadata: { istio: { workload: 'cart;shop;cart;v1;Kubernetes' } } },
  }));
  manager.upsertEndpoints(
    fromJson(ClusterLoadAssignmentSchema, { clusterName: 'encap', endpoints: [{ lbEndpoints }] }),
  );
}

function hostOf(manager: ClusterManager, cluster: string, destination: typeof POD) {
  return manager.get(cluster, destination)?.pick(ANY_HOST) ?? null;
}

describe('a cluster that leads where a connection was going', () => {
  test.for([
    ENCAP,
    { name: 'inbound-vip|9000|tcp|peers', type: 'ORIGINAL_DST', lbPolicy: 'CLUSTER_PROVIDED' },
  ])('has that one host, and tunnels to it', (json) => {
    const manager = managerOf(json);
    const name = (json as { name: string }).name;
    expect(hostOf(manager, name, POD)?.address).toEqual({ kind: 'hbone', ...POD });
    expect(hostOf(manager, name, OTHER)?.address).toEqual({ kind: 'hbone', ...OTHER });
    expect(hostOf(manager, name, POD)).toBe(hostOf(manager, name, POD));
  });

  test('reaches a workload without a tunnel while it is said to take none', () => {
    const manager = managerOf(ENCAP);
    tellPlain(manager, POD.ip);
    const plain = hostOf(manager, 'encap', POD);
    expect(plain?.address).toEqual({ kind: 'plain', ...POD });
    expect(plain?.metadata?.workload).toBe('cart');
    expect(hostOf(manager, 'encap', OTHER)?.address.kind).toBe('hbone');
    tellPlain(manager, POD.ip, OTHER.ip);
    expect(hostOf(manager, 'encap', POD)).toBe(plain);
    expect(hostOf(manager, 'encap', OTHER)?.address.kind).toBe('plain');
    tellPlain(manager, OTHER.ip);
    expect(hostOf(manager, 'encap', POD)?.address.kind).toBe('hbone');
  });

  test('forgets a host that nobody uses, and no other', () => {
    const manager = managerOf(ENCAP);
    const idle = hostOf(manager, 'encap', POD);
    const busy = hostOf(manager, 'encap', OTHER)!;
    busy.active = 1;
    vi.advanceTimersByTime(120_000);
    expect(hostOf(manager, 'encap', OTHER)).toBe(busy);
    expect(hostOf(manager, 'encap', POD)).not.toBe(idle);
  });

  test('has no host for a request that was going nowhere', () => {
    expect(managerOf(ENCAP).get('encap')?.pick(ANY_HOST)).toBeNull();
  });
});
