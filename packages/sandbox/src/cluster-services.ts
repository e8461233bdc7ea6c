/** The Services that the sandbox's own process serves: the API, which the API server names itself, and the DNS. */
import type { ApiObject, ClusterClient, ResourceKey } from '@aquifer/kube-api';
import { SERVICE_NAME_LABEL } from '@aquifer/model/kubernetes';
import { DNS_SERVICE_ADDRESS, HOST_ADDRESS } from './nodes/addresses.ts';

const SERVICES: ResourceKey = { group: '', version: 'v1', plural: 'services' };
const SLICES: ResourceKey = { group: 'discovery.k8s.io', version: 'v1', plural: 'endpointslices' };

interface ClusterPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP';
  readonly targetPort: number;
}

/** Creates `kube-system/kube-dns`, and points it and `default/kubernetes` at this process's ports. */
export async function publishClusterServices(
  client: ClusterClient,
  ports: { readonly api: number; readonly dns: number },
): Promise<void> {
  await publishEndpoint(client, { namespace: 'default', name: 'kubernetes' }, [
    { name: 'https', port: 443, protocol: 'TCP', targetPort: ports.api },
  ]);
  const dns = { namespace: 'kube-system', name: 'kube-dns' };
  const dnsPorts: readonly ClusterPort[] = [
    { name: 'dns', port: 53, protocol: 'UDP', targetPort: ports.dns },
    { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: ports.dns },
  ];
  await put(client, SERVICES, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...dns, labels: { 'k8s-app': 'kube-dns' } },
    spec: { clusterIP: DNS_SERVICE_ADDRESS, clusterIPs: [DNS_SERVICE_ADDRESS], ports: dnsPorts },
  });
  await publishEndpoint(client, dns, dnsPorts);
}

async function publishEndpoint(
  client: ClusterClient,
  service: { readonly namespace: string; readonly name: string },
  ports: readonly ClusterPort[],
): Promise<void> {
  await put(client, SLICES, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...service, labels: { [SERVICE_NAME_LABEL]: service.name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [HOST_ADDRESS], conditions: { ready: true } }],
    ports: ports.map(({ name, protocol, targetPort }) => ({ name, port: targetPort, protocol })),
  });
}

async function put(client: ClusterClient, key: ResourceKey, object: ApiObject): Promise<void> {
  const { name, namespace = '' } = object.metadata;
  const stored = await client.get(key, name, namespace);
  if (stored === null) await client.create(key, object);
  else await client.update(key, { ...stored, ...object, metadata: stored.metadata });
}
