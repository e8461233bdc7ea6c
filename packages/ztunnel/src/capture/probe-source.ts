import { runInNamespace } from './namespace-command.ts';
import type { NetworkNamespace } from './netns.ts';
import { PROBE_ADDRESSES } from './redirection.ts';

const TABLE = 'inet aquifer-probes';
/** Before those of a Service proxy and of the pod network, which come at 100: the first that translates decides. */
const BEFORE_MASQUERADE = 90;

/**
 * Rules in the node's own namespace that give kubelet probes the source address which pods' rules let pass. A kubelet
 * calls a pod at its own address, from a process of the node, as root. Whatever else comes from the node, such as what
 * arrives at a node port, is forwarded or was translated before, and keeps its source. Nobody may come with that address
 * from elsewhere.
 */
export async function installProbeSource(
  node: NetworkNamespace,
  podAddresses: readonly string[],
): Promise<void> {
  await runInNamespace(node, 'nft -f -', probeRules(podAddresses));
}

/**
 * nft program that replaces the rules of an earlier run. The addresses stand in the rules, not in a set of their own: a
 * probe that begins while a set is being replaced could find its pod in neither the old nor the new one.
 */
function probeRules(podAddresses: readonly string[]): string {
  if (podAddresses.length === 0) return `table ${TABLE} {\n}\ndelete table ${TABLE}\n`;
  const fromKubelet = 'meta l4proto tcp meta skuid 0 ct status & dnat == 0';
  const translate = (family: 'ip' | 'ip6', to: string): string => {
    const pods = podAddresses.filter((address) => address.includes(':') === (family === 'ip6'));
    if (pods.length === 0) return '';
    return `${fromKubelet} ${family} daddr { ${pods.join(', ')} } snat ${family} to ${to}`;
  };
  return `table ${TABLE} {
}
flush table ${TABLE}
table ${TABLE} {
  chain prerouting {
    type filter hook prerouting priority raw; policy accept;
    ip saddr ${PROBE_ADDRESSES.v4} drop
    ip6 saddr ${PROBE_ADDRESSES.v6} drop
  }
  chain postrouting {
    type nat hook postrouting priority ${BEFORE_MASQUERADE}; policy accept;
    ${translate('ip', PROBE_ADDRESSES.v4)}
    ${translate('ip6', PROBE_ADDRESSES.v6)}
  }
}
`;
}
