import { DNS_SERVICE_ADDRESS } from './addresses.ts';
import type { NodePod } from './node-pod.ts';

interface ResolverConfig {
  readonly searches: readonly string[];
  readonly nameservers: readonly string[];
  readonly options: readonly (readonly [name: string, text: string])[];
}

/**
 * The /etc/resolv.conf that the pod's dnsPolicy and dnsConfig ask for
 * (https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/).
 */
export function resolvConf(pod: NodePod, machineResolvConf: string): string {
  const { dnsPolicy = 'ClusterFirst', dnsConfig, hostNetwork } = pod.spec;
  if (dnsPolicy === 'Default' || (dnsPolicy === 'ClusterFirst' && hostNetwork === true)) {
    return machineResolvConf;
  }
  const base = dnsPolicy === 'None' ? EMPTY : clusterResolver(pod.metadata.namespace);
  const added = (dnsConfig?.options ?? []).map(
    ({ name = '', value }) => [name, value === undefined ? name : `${name}:${value}`] as const,
  );
  return format({
    searches: [...base.searches, ...(dnsConfig?.searches ?? [])],
    nameservers: [...base.nameservers, ...(dnsConfig?.nameservers ?? [])],
    options: [...new Map([...base.options, ...added])],
  });
}

const EMPTY: ResolverConfig = { searches: [], nameservers: [], options: [] };

function clusterResolver(namespace: string): ResolverConfig {
  return {
    searches: [`${namespace}.svc.cluster.local`, 'svc.cluster.local', 'cluster.local'],
    nameservers: [DNS_SERVICE_ADDRESS],
    options: [['ndots', 'ndots:5']],
  };
}

function format({ searches, nameservers, options }: ResolverConfig): string {
  const lines = nameservers.map((server) => `nameserver ${server}`);
  if (searches.length > 0) lines.unshift(`search ${searches.join(' ')}`);
  if (options.length > 0) lines.push(`options ${options.map(([, text]) => text).join(' ')}`);
  return `${lines.join('\n')}\n`;
}
