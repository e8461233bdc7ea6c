/**
 * NetworkPolicies as the text of one nftables table per node. A pod's node decides about the pod: what may come to it, and
 * where it may go. Traffic of the node itself (probes) passes, as in every cluster. Pure.
 */
import { isIPv4 } from 'node:net';
import type { ApiObject } from '@aquifer/kube-api';
import { type LabelSelector, selects } from '@aquifer/model/kubernetes';

interface PolicyPeer {
  readonly podSelector?: LabelSelector;
  readonly namespaceSelector?: LabelSelector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}

interface PolicyPort {
  readonly protocol?: string;
  /** A number, or the name of a port of the pod that is reached. Absent: all. */
  readonly port?: number | string;
  readonly endPort?: number;
}

interface PolicyRule {
  readonly from?: readonly PolicyPeer[];
  readonly to?: readonly PolicyPeer[];
  readonly ports?: readonly PolicyPort[];
}

/** A pod with an address of its own. */
export interface AddressedPod {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly node: string;
  readonly address: string;
  /** By name. */
  readonly ports: Readonly<Record<string, number>>;
  /** Where a port is not what others call it: the DNS, which listens elsewhere. */
  readonly translated?: Readonly<Record<number, number>>;
}

export interface PolicyState {
  readonly policies: readonly ApiObject[];
  readonly pods: readonly AddressedPod[];
  /** Labels of namespaces, by name. */
  readonly namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
}

type Direction = 'ingress' | 'egress';

/** The table of one node; it replaces the one before in a single transaction. */
export function policyTable(state: PolicyState, node: string): string {
  const chains = state.pods
    .filter((pod) => pod.node === node)
    .flatMap((pod) => [chainOf('ingress', pod, state), chainOf('egress', pod, state)])
    .filter((chain) => chain !== null);
  if (chains.length === 0) return 'table ip aquifer-policies\ndelete table ip aquifer-policies\n';
  const jumps = chains.map(({ jump }) => `    ${jump}`).join('\n');
  return `table ip aquifer-policies
delete table ip aquifer-policies
table ip aquifer-policies {
${chains.map(({ text }) => text).join('\n')}
  chain forward {
    type filter hook forward priority 10; policy accept;
    ct state established,related accept
${jumps}
  }
}
`;
}

/** What may pass returns to the base chain, for the other direction has its say too. Null: no policy selects the pod. */
function chainOf(
  direction: Direction,
  pod: AddressedPod,
  state: PolicyState,
): { readonly jump: string; readonly text: string } | null {
  const selecting = state.policies.filter((policy) => appliesTo(policy, direction, pod));
  if (selecting.length === 0) return null;
  const lines = selecting.flatMap(({ metadata, spec }) =>
    ((spec[direction] ?? []) as readonly PolicyRule[]).flatMap((rule) =>
      ruleLines(direction, rule, pod, { ...state, namespace: metadata.namespace ?? '' }),
    ),
  );
  const name = `${direction}-${pod.address}`;
  const side = direction === 'ingress' ? 'daddr' : 'saddr';
  const body = [...new Set(lines), 'drop'].map((line) => `    ${line}`).join('\n');
  return {
    jump: `ip ${side} ${pod.address} jump ${name}`,
    text: `  chain ${name} {\n${body}\n  }`,
  };
}

function appliesTo(
  { metadata, spec }: ApiObject,
  direction: Direction,
  pod: AddressedPod,
): boolean {
  const types: readonly string[] = spec.policyTypes;
  return (
    metadata.namespace === pod.namespace &&
    types.some((type) => type.toLowerCase() === direction) &&
    selects(spec.podSelector ?? {}, pod.labels)
  );
}

function ruleLines(
  direction: Direction,
  { from, to, ports = [] }: PolicyRule,
  pod: AddressedPod,
  state: PolicyState & { readonly namespace: string },
): readonly string[] {
  const peers = (direction === 'ingress' ? from : to) ?? [];
  const side = direction === 'ingress' ? 'saddr' : 'daddr';
  const blocks = peers.flatMap(({ ipBlock }) =>
    ipBlock === undefined ? [] : blockMatch(ipBlock, side),
  );
  const others = state.pods.filter((other) =>
    peers.some((peer) => peer.ipBlock === undefined && isPeer(other, peer, state)),
  );
  if (direction === 'ingress') {
    const addresses = others.map(({ address }) => address).join(', ');
    const sources = addresses === '' ? blocks : [...blocks, `ip saddr { ${addresses} }`];
    const wheres = peers.length === 0 ? [''] : sources;
    return wheres.flatMap((where) => portMatches(ports, pod).map((port) => line(where, port)));
  }
  // Names of ports, and the DNS, are of the pod that is reached.
  const reached = peers.length === 0 ? state.pods.filter(needsOwnLine) : others;
  const wheres = peers.length === 0 ? [''] : blocks;
  return [
    ...wheres.flatMap((where) => portMatches(ports, null).map((port) => line(where, port))),
    ...reached.flatMap((other) =>
      portMatches(ports, other).map((port) => line(`ip daddr ${other.address}`, port)),
    ),
  ];
}

function line(where: string, port: string): string {
  return [where, port, 'return'].filter((part) => part !== '').join(' ');
}

function needsOwnLine({ ports, translated }: AddressedPod): boolean {
  return translated !== undefined || Object.keys(ports).length > 0;
}

/** What is no block of IPv4 addresses matches nothing; in the table it would keep all policies from being enforced. */
function isBlock(cidr: string): boolean {
  const [, address = '', length] = /^([^/]+)\/(\d{1,2})$/.exec(cidr) ?? [];
  return isIPv4(address) && Number(length) <= 32;
}

function blockMatch(
  { cidr, except = [] }: NonNullable<PolicyPeer['ipBlock']>,
  side: string,
): string[] {
  // Addresses of the other family are no matter of this table.
  if (!isBlock(cidr)) return [];
  const others = except.filter(isBlock);
  const without = others.length === 0 ? '' : ` ip ${side} != { ${others.join(', ')} }`;
  return [`ip ${side} ${cidr}${without}`];
}

function isPeer(
  pod: AddressedPod,
  { podSelector, namespaceSelector }: PolicyPeer,
  { namespaces, namespace }: PolicyState & { readonly namespace: string },
): boolean {
  const isThere =
    namespaceSelector === undefined
      ? pod.namespace === namespace
      : selects(namespaceSelector, namespaces.get(pod.namespace));
  return isThere && selects(podSelector ?? {}, pod.labels);
}

const transports: readonly string[] = ['tcp', 'udp', 'sctp'];

function namedPort(pod: AddressedPod | null, name: string): number | undefined {
  return pod !== null && Object.hasOwn(pod.ports, name) ? pod.ports[name] : undefined;
}

/** One match for each port of a rule; a single empty one for all ports. `pod` is the one that is reached, if known. */
function portMatches(ports: readonly PolicyPort[], pod: AddressedPod | null): readonly string[] {
  if (ports.length === 0) return [''];
  return ports.flatMap(({ protocol = 'TCP', port, endPort }) => {
    const transport = protocol.toLowerCase();
    if (port === undefined)
      return transports.includes(transport) ? [`meta l4proto ${transport}`] : [];
    const number = typeof port === 'number' ? port : namedPort(pod, port);
    if (number === undefined || !transports.includes(transport)) return [];
    const actual = pod?.translated?.[number] ?? number;
    return [`${transport} dport ${endPort === undefined ? actual : `${number}-${endPort}`}`];
  });
}
