/**
 * The cluster's network: one namespace per node and per pod, all links virtual Ethernet pairs.
 *
 *   machine ──aqf-host── [aqf-fabric: bridge] ──fabric── [aqf-node-1: router, nftables] ──pods (bridge)── eth0 [pod]
 *                                 └──────────── fabric ── [aqf-node-2: …]
 *
 * Always: a pod holds a /32 and sends everything to its gateway, so that two pods of one node also meet the node's
 * nftables (a Service address must be translated back on the way home).
 * Never: touch the machine's own nftables, sysctls or default route. On the machine there is one link, `aqf-host`,
 * with one address and the routes to pods and Services; they vanish with the link.
 */
import { readdir, rm } from 'node:fs/promises';
import {
  HOST_ADDRESS,
  LOAD_BALANCER_NETWORK,
  lastOctet,
  type NodeAddresses,
  nodeAddresses,
  SERVICE_NETWORK,
} from './addresses.ts';
import { runCommand } from './command.ts';
import { refuseForeignRoutes } from './foreign-routes.ts';

/** Every namespace and link that the sandbox makes on the machine begins with this. */
const PREFIX = 'aqf-';
const HOST_LINK = 'aqf-host';
const FABRIC_NAMESPACE = 'aqf-fabric';
const NAMESPACE_DIRECTORY = '/run/netns';

/** Link address of every node's gateway; locally administered. Each node's bridge is a link of its own, so one does. */
const GATEWAY_MAC = '02:00:0a:f4:00:01';

/** The namespace of a node, as `ip netns exec` takes it: `aqf-node-1`. */
export function nodeNamespace(nodeName: string): string {
  return `${PREFIX}${nodeName}`;
}

/** The namespace of a pod: `aqf-pod.shop.client`; the uid stands for names too long for a file. */
export function podNamespace(pod: { namespace: string; name: string; uid: string }): string {
  const readable = `${PREFIX}pod.${pod.namespace}.${pod.name}`;
  return readable.length <= 200 ? readable : `${PREFIX}pod.${pod.uid}`;
}

/** The file that holds a namespace open, for `nsenter --net=`. */
export function namespacePath(namespace: string): string {
  return `${NAMESPACE_DIRECTORY}/${namespace}`;
}

/** Makes the fabric and the namespaces of `nodeCount` nodes. Throws `CommandError`, or `SandboxError` if the machine uses those addresses; the caller then cleans up. */
export async function createNetwork(nodeCount: number): Promise<readonly NodeAddresses[]> {
  const nodes = Array.from({ length: nodeCount }, (_, position) => nodeAddresses(position + 1));
  await refuseForeignRoutes([
    ...[SERVICE_NETWORK, LOAD_BALANCER_NETWORK, `${HOST_ADDRESS}/24`],
    ...nodes.map(({ podCidr }) => podCidr),
  ]);
  await ip(null, [
    `netns add ${FABRIC_NAMESPACE}`,
    ...nodes.map((node) => `netns add ${nodeNamespace(node.name)}`),
  ]);
  // Before the links exist: they inherit the defaults.
  await Promise.all(nodes.map((node) => setNodeSysctls(nodeNamespace(node.name))));
  await ip(null, [`link add ${HOST_LINK} type veth peer name host netns ${FABRIC_NAMESPACE}`]);
  await ip(FABRIC_NAMESPACE, [
    'link add fabric type bridge',
    'link set fabric up',
    'link set host master fabric up',
    ...nodes.flatMap((node) => [
      `link add ${node.name} type veth peer name fabric netns ${nodeNamespace(node.name)}`,
      `link set ${node.name} master fabric up`,
    ]),
  ]);
  for (const node of nodes) await ip(nodeNamespace(node.name), nodeLinks(node, nodes));
  await ip(null, [
    `addr add ${HOST_ADDRESS}/24 dev ${HOST_LINK}`,
    `link set ${HOST_LINK} up`,
    ...nodes.map((node) => `route add ${node.podCidr} via ${node.address}`),
    `route add ${SERVICE_NETWORK} via ${nodes[0]!.address}`,
    `route add ${LOAD_BALANCER_NETWORK} via ${nodes[0]!.address}`,
  ]);
  return nodes;
}

function nodeLinks(node: NodeAddresses, nodes: readonly NodeAddresses[]): string[] {
  return [
    'link set lo up',
    `addr add ${node.address}/24 dev fabric`,
    'link set fabric up',
    // Without an address of its own a bridge takes the lowest of its ports: with every pod that comes or goes the
    // gateway's could change, and the other pods would send to the old one until their ARP entries expire.
    `link add pods address ${GATEWAY_MAC} type bridge`,
    `addr add ${node.gateway}/24 dev pods`,
    'link set pods up',
    ...nodes
      .filter((other) => other !== node)
      .map((other) => `route add ${other.podCidr} via ${other.address}`),
    // Only so that the forward hook sees, and refuses, what no Service claims.
    `route add ${SERVICE_NETWORK} dev fabric`,
    `route add ${LOAD_BALANCER_NETWORK} dev fabric`,
  ];
}

async function setNodeSysctls(namespace: string): Promise<void> {
  const settings = [
    'net/ipv4/ip_forward=1',
    'net/ipv4/conf/all/send_redirects=0',
    'net/ipv4/conf/default/send_redirects=0',
    'net/ipv4/conf/all/rp_filter=0',
    'net/ipv4/conf/default/rp_filter=0',
    'net/ipv6/conf/default/disable_ipv6=1',
    // With br_netfilter a pod that calls its own Service would be bridged back untranslated.
    'net/bridge/bridge-nf-call-iptables=0',
  ];
  const script = settings
    .map((setting) => setting.split('='))
    .map(([path, value]) => `[ ! -e /proc/sys/${path} ] || echo ${value} > /proc/sys/${path}`)
    .join('\n');
  await runCommand('nsenter', [`--net=${namespacePath(namespace)}`, 'sh', '-ec', script]);
}

export interface PodLink {
  readonly namespace: string;
  readonly node: NodeAddresses;
  readonly address: string;
}

/** Makes the pod's namespace and joins it to its node's bridge: `eth0` with `address`, and `lo`. */
export async function attachPod(link: PodLink): Promise<void> {
  const port = podPort(link.address);
  await ip(null, [`netns add ${link.namespace}`]);
  await ip(nodeNamespace(link.node.name), [
    `link add ${port} type veth peer name eth0 netns ${link.namespace}`,
    `link set ${port} master pods up`,
  ]);
  await ip(link.namespace, [
    'link set lo up',
    `addr add ${link.address}/32 dev eth0`,
    'link set eth0 up',
    `route add ${link.node.gateway} dev eth0 scope link`,
    `route add default via ${link.node.gateway} dev eth0 onlink src ${link.address}`,
  ]);
}

/** Removes the pod's link and the name of its namespace; the namespace itself ends with its last process. */
export async function detachPod(link: PodLink): Promise<void> {
  await ip(nodeNamespace(link.node.name), [`link del ${podPort(link.address)}`]).catch(
    // The link is gone with a namespace that somebody else removed.
    () => undefined,
  );
  await deleteNamespace(link.namespace);
}

/** The node's end of a pod's link, in the node's namespace: `pod-15` for 10.244.1.15. */
function podPort(address: string): string {
  return `pod-${lastOctet(address)}`;
}

/** Changes nftables inside a namespace, in one atomic transaction. */
export async function applyRules(namespace: string, rules: string): Promise<void> {
  await runCommand('nsenter', [`--net=${namespacePath(namespace)}`, 'nft', '-f', '-'], rules);
}

/** Removes every namespace and link of the sandbox, also those of one that crashed. */
export async function removeNetwork(): Promise<void> {
  await ip(null, [`link del ${HOST_LINK}`]).catch(() => undefined);
  const names = await readdir(NAMESPACE_DIRECTORY).catch(() => [] as string[]);
  for (const name of names.filter((each) => each.startsWith(PREFIX))) await deleteNamespace(name);
}

async function deleteNamespace(namespace: string): Promise<void> {
  await ip(null, [`netns del ${namespace}`]).catch(async () => {
    // A name whose mount is gone already (a crash between the two steps) is an ordinary empty file.
    await rm(namespacePath(namespace), { force: true }).catch(() => undefined);
  });
}

/** Runs `ip` commands in one process, inside `namespace` or, for null, on the machine. */
async function ip(namespace: string | null, commands: readonly string[]): Promise<void> {
  const where = namespace === null ? [] : ['-n', namespace];
  await runCommand('ip', [...where, '-batch', '-'], `${commands.join('\n')}\n`);
}
