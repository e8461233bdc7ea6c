/**
 * PeerAuthentication to DENY policies of ztunnel (spec control-plane 2.10). STRICT is one static policy that workloads
 * list; port-level modes of a selector policy become a policy of their own.
 */

import { type Authorization, type AuthorizationMatch, EMPTY_MATCH } from '@aquifer/model';
import { hasLabels } from '@aquifer/model/kubernetes';
import type { PeerAuthentication } from '@aquifer/model/resources';
import { isEmptyMap } from './label-maps.ts';
import { byAge, nameOf, namespaceOf } from './object.ts';

type Mode = 'UNSET' | 'DISABLE' | 'PERMISSIVE' | 'STRICT';

/** The oldest policy of each level that a namespace's workloads inherit from. */
export interface InheritedPeerAuthentication {
  readonly mesh: PeerAuthentication | undefined;
  readonly namespace: PeerAuthentication | undefined;
}

const STATIC_STRICT = 'istio_converted_static_strict';
const PLAINTEXT: AuthorizationMatch = { ...EMPTY_MATCH, notPrincipals: [{ kind: 'presence' }] };

/** The policy that refuses plaintext; served as soon as there is any PeerAuthentication. */
export function staticStrictPolicy(rootNamespace: string): Authorization {
  return denyPolicy(rootNamespace, STATIC_STRICT, [[[PLAINTEXT]]]);
}

/** The mesh's and the namespace's policy among those of the root and the workload's namespace. */
export function inheritedPeerAuthentication(
  root: readonly PeerAuthentication[],
  own: readonly PeerAuthentication[],
): InheritedPeerAuthentication {
  return {
    mesh: oldest(root.filter((policy) => policy.spec?.selector === undefined)),
    namespace: root === own ? undefined : oldest(own.filter((policy) => !hasSelector(policy))),
  };
}

export type NamespaceTlsMode = Mode;

/** What clients may expect of the workloads of a namespace: the mesh's mode where the namespace says none. */
export function namespaceTlsMode({ mesh, namespace }: InheritedPeerAuthentication): Mode {
  const mode = modeOf(namespace);
  return mode === 'UNSET' ? modeOf(mesh) : mode;
}

/** What a workload takes, by port where a port has another mode. */
export interface WorkloadTlsModes {
  readonly mode: TlsMode;
  readonly ports: ReadonlyMap<number, TlsMode>;
}

/** PERMISSIVE takes mutual TLS and plaintext. */
export type TlsMode = Exclude<Mode, 'UNSET'>;

/** Of a workload with these labels; `own` are the policies of its namespace. */
export function workloadTlsModes(
  labels: Readonly<Record<string, string>>,
  own: readonly PeerAuthentication[],
  inherited: InheritedPeerAuthentication,
): WorkloadTlsModes {
  const selected = oldest(
    own.filter((policy) => hasSelector(policy) && selectsPeer(policy, labels)),
  );
  const ofNamespace = namespaceTlsMode(inherited);
  const usual = ofNamespace === 'UNSET' ? 'PERMISSIVE' : ofNamespace;
  const said = modeOf(selected);
  const mode = said === 'UNSET' ? usual : said;
  const modes = selected === undefined ? [] : portModes(selected);
  const ports = modes.flatMap((port) =>
    port.mode === 'UNSET' ? [] : [[port.port, port.mode] as const],
  );
  return { mode, ports: new Map(ports) };
}

/**
 * The policy that the port-level modes of one selector policy become, or null when the effective modes need none.
 * Unlike upstream, a STRICT port below a PERMISSIVE or DISABLE workload is enforced under a STRICT mesh too: upstream
 * lists the policy in the workload but never sends it (ADR 0010).
 */
export function convertPeerAuthentication(
  policy: PeerAuthentication,
  inherited: InheritedPeerAuthentication,
): Authorization | null {
  const mode = modeOf(policy);
  const strict = mode === 'UNSET' ? isStrict(inherited) : mode === 'STRICT';
  const ports = portModes(policy);
  const groups = strict ? exemptions(ports, mode, inherited) : strictPorts(ports);
  if (groups.length === 0) return null;
  return denyPolicy(namespaceOf(policy), convertedName(policy), groups);
}

/** Keys of the converted policies that a workload with these labels lists. */
export function peerAuthenticationKeys(
  labels: Readonly<Record<string, string>>,
  own: readonly PeerAuthentication[],
  inherited: InheritedPeerAuthentication,
  rootNamespace: string,
): string[] {
  const selected = oldest(
    own.filter((policy) => hasSelector(policy) && selectsPeer(policy, labels)),
  );
  const mode = selected === undefined ? 'UNSET' : modeOf(selected);
  const strict = mode === 'UNSET' ? isStrict(inherited) : mode === 'STRICT';
  if (selected !== undefined && replacesStatic(portModes(selected), mode, strict)) {
    return [`${namespaceOf(selected)}/${convertedName(selected)}`];
  }
  return strict ? [`${rootNamespace}/${STATIC_STRICT}`] : [];
}

/** A policy of the root namespace with a selector has no effect, nor has a port mode without a selector. */
export function hasSelector(policy: PeerAuthentication): boolean {
  return !isEmptyMap(policy.spec?.selector?.matchLabels);
}

function selectsPeer(
  policy: PeerAuthentication,
  labels: Readonly<Record<string, string>>,
): boolean {
  return hasLabels(policy.spec?.selector?.matchLabels ?? {}, labels);
}

/** With an inherited STRICT only a PERMISSIVE port counts as an exemption here, as recorded. */
function replacesStatic(ports: readonly PortMode[], mode: Mode, strict: boolean): boolean {
  if (!strict) return ports.some((port) => port.mode === 'STRICT');
  return ports.some(
    (port) => port.mode === 'PERMISSIVE' || (mode === 'STRICT' && port.mode === 'DISABLE'),
  );
}

function exemptions(
  ports: readonly PortMode[],
  mode: Mode,
  inherited: InheritedPeerAuthentication,
): AuthorizationMatch[][][] {
  const exempt = ports.filter((port) => port.mode === 'PERMISSIVE' || port.mode === 'DISABLE');
  if (exempt.length === 0) return [];
  const rules: AuthorizationMatch[][] = exempt.map(({ port }) => [
    { ...EMPTY_MATCH, notDestinationPorts: [port] },
  ]);
  if (mode === 'STRICT') rules.unshift([PLAINTEXT]);
  // As upstream: below a STRICT mesh or namespace the same condition stands twice; ANDed, it changes nothing.
  if (isStrict(inherited)) rules.push([PLAINTEXT]);
  return [rules];
}

function strictPorts(ports: readonly PortMode[]): AuthorizationMatch[][][] {
  return ports
    .filter(({ mode }) => mode === 'STRICT')
    .map(({ port }) => [[{ ...PLAINTEXT, destinationPorts: [port] }]]);
}

interface PortMode {
  readonly port: number;
  readonly mode: Mode;
}

/** Ascending by port. */
function portModes(policy: PeerAuthentication): PortMode[] {
  return Object.entries(policy.spec?.portLevelMtls ?? {})
    .map(([port, { mode = 'UNSET' }]) => ({ port: Number(port), mode }))
    .filter(({ port }) => Number.isInteger(port))
    .toSorted((a, b) => a.port - b.port);
}

function modeOf(policy: PeerAuthentication | undefined): Mode {
  return policy?.spec?.mtls?.mode ?? 'UNSET';
}

function isStrict(inherited: InheritedPeerAuthentication): boolean {
  const mode = modeOf(inherited.namespace);
  return mode === 'UNSET' ? modeOf(inherited.mesh) === 'STRICT' : mode === 'STRICT';
}

function oldest(policies: readonly PeerAuthentication[]): PeerAuthentication | undefined {
  return policies.toSorted(byAge)[0];
}

function convertedName(policy: PeerAuthentication): string {
  return `converted_peer_authentication_${nameOf(policy)}`;
}

function denyPolicy(
  namespace: string,
  name: string,
  groups: AuthorizationMatch[][][],
): Authorization {
  return { name, namespace, scope: 'workload-selector', action: 'deny', groups, dryRun: false };
}
