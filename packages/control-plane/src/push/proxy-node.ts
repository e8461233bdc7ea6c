import type { Locality } from '@aquifer/model';
import type { ProxyNode } from '../derive/l7/proxy-node.ts';
import type { ConnectedProxy } from './proxy.ts';

/** What the configuration of a proxy is derived from; null for proxies that are served what others are, too. */
export function proxyNodeOf(proxy: ConnectedProxy): ProxyNode | null {
  const { type, namespace, podName, provenAccount, ip, metadata, locality } = proxy;
  if (type !== 'sidecar' && type !== 'router') return null;
  const instances = metadata.INSTANCE_IPS;
  const others = typeof instances === 'string' ? instances.split(',') : [];
  return {
    type: type === 'sidecar' && metadata.GENERATOR === 'grpc' ? 'grpc' : type,
    namespace,
    podName,
    account: provenAccount,
    addresses: [...new Set([ip, ...others])].filter((address) => address !== ''),
    labels: labelsIn(metadata.LABELS),
    meshId: typeof metadata.MESH_ID === 'string' ? metadata.MESH_ID : '',
    locality: locality ?? localityOf(labelsIn(metadata.LABELS)),
    inboundTunnels: metadata.ENABLE_HBONE === 'true' ? 'hbone' : 'none',
  };
}

function labelsIn(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {};
  const entries = Object.entries(value).filter(([, text]) => typeof text === 'string');
  return Object.fromEntries(entries) as Record<string, string>;
}

function localityOf(labels: Readonly<Record<string, string>>): Locality | null {
  const region = labels['topology.kubernetes.io/region'];
  if (region === undefined) return null;
  return {
    region,
    zone: labels['topology.kubernetes.io/zone'] ?? '',
    subzone: labels['topology.istio.io/subzone'] ?? '',
  };
}
