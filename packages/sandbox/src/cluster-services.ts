/** The Services that every cluster has: the API and the DNS, both served by the sandbox's own process. */
import type { ApiObject, ClusterClient, ResourceKey } from '@aquifer/kube-api';
import { API_SERVICE_ADDRESS, DNS_SERVICE_ADDRESS, HOST_ADDRESS } from './nodes/addresses.ts';

const SERVICES: ResourceKey = { group: '', version: 'v1', plural: 'services' };
const SLICES: ResourceKey = { group: 'discovery.k8s.io', version: 'v1', plural: 'endpointslices' };

interface ClusterPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP';
  readonly targetPort: number;
}

/** Creates `default/kubernetes` and `kube-system/kube-dns`, or points them at this process's ports. */
export async function publishClusterServices(
  client: ClusterClient,
  ports: { readonly api: number; readonly dns: number },
): Promise<void> {
  await publish(client, 'default/kubernetes', API_SERVICE_ADDRESS, [
    { name: 'https', port: 443, protocol: 'TCP', targetPort: ports.api },
  ]);
  await publish(client, 'kube-system/kube-dns', DNS_SERVICE_ADDRESS, [
    { name: 'dns', port: 53, protocol: 'UDP', targetPort: ports.dns },
    { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: ports.dns },
  ]);
}

async function publish(
  client: ClusterClient,
  fullName: string,
  clusterIP: string,
  ports: readonly ClusterPort[],
): Promise<void> {
  const [namespace = '', name = ''] = fullName.split('/');
  await put(client, SERVICES, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels: { 'aquifer.dev/component': name } },
    spec: { clusterIP, clusterIPs: [clusterIP], ports },
  });
  await put(client, SLICES, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [HOST_ADDRESS], conditions: { ready: true } }],
    ports: ports.map((port) => ({
      name: port.name,
      port: port.targetPort,
      protocol: port.protocol,
    })),
  });
}

async function put(client: ClusterClient, key: ResourceKey, object: ApiObject): Promise<void> {
  const { name, namespace = '' } = object.metadata;
  const stored = await client.get(key, name, namespace);
  if (stored === null) await client.create(key, object);
  else await client.update(key, { ...stored, ...object, metadata: stored.metadata });
}
