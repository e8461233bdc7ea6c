import type { Identity } from './identity.ts';
import { principal } from './identity.ts';
import { type Cidr, cidrContains } from './ip-address.ts';
import type {
  Authorization,
  AuthorizationMatch,
  ServiceAccountMatch,
  StringMatch,
} from './workload.ts';

/** What a policy may look at: one connection as its destination sees it. */
export interface PeerConnection {
  /** From the verified client certificate; null for plaintext. */
  readonly sourceIdentity: Identity | null;
  readonly sourceIp: string;
  readonly destinationIp: string;
  readonly destinationPort: number;
}

/** `policy` names what decided: `namespace/name`, several joined by `,` when none of the ALLOW policies matched. */
export type Verdict =
  | { readonly allowed: true; readonly policy: string | null }
  | { readonly allowed: false; readonly policy: string | null; readonly reason: string };

/**
 * Decides one connection against the policies that apply to its destination (spec ztunnel 4.4): any DENY that
 * matches refuses; without ALLOW policies everything else passes; otherwise one ALLOW must match.
 * Dry-run policies never decide.
 */
export function authorize(policies: readonly Authorization[], connection: PeerConnection): Verdict {
  const enforced = policies.filter((policy) => !policy.dryRun);
  for (const policy of enforced) {
    if (policy.action === 'deny' && policyMatches(policy, connection)) {
      const key = policyKey(policy);
      return { allowed: false, policy: key, reason: `explicitly denied by: ${key}` };
    }
  }
  const allows = enforced.filter((policy) => policy.action === 'allow');
  if (allows.length === 0) return { allowed: true, policy: null };
  for (const policy of allows) {
    if (policyMatches(policy, connection)) return { allowed: true, policy: policyKey(policy) };
  }
  const policy = allows.map(policyKey).join(',');
  return { allowed: false, policy, reason: 'allow policies exist, but none allowed' };
}

/** `namespace/name`. */
export function policyKey(policy: { readonly namespace: string; readonly name: string }): string {
  return `${policy.namespace}/${policy.name}`;
}

/** Whether any group of the policy matches. A policy without groups never does; a group without rules always. */
export function policyMatches(policy: Authorization, connection: PeerConnection): boolean {
  return policy.groups.some((rules) =>
    rules.every(
      (matches) => matches.length === 0 || matches.some((match) => matchHolds(match, connection)),
    ),
  );
}

function matchHolds(match: AuthorizationMatch, connection: PeerConnection): boolean {
  if (isEmptyMatch(match)) return false;
  return addressesHold(match, connection) && identityHolds(match, connection.sourceIdentity);
}

function isEmptyMatch(match: AuthorizationMatch): boolean {
  return Object.values(match).every((values: readonly unknown[]) => values.length === 0);
}

function addressesHold(match: AuthorizationMatch, connection: PeerConnection): boolean {
  const inRange = (ip: string) => (cidr: Cidr) => cidrContains(cidr, ip);
  const isPort = (port: number) => port === connection.destinationPort;
  return (
    holds(match.sourceIps, match.notSourceIps, inRange(connection.sourceIp)) &&
    holds(match.destinationIps, match.notDestinationIps, inRange(connection.destinationIp)) &&
    holds(match.destinationPorts, match.notDestinationPorts, isPort)
  );
}

function identityHolds(match: AuthorizationMatch, identity: Identity | null): boolean {
  const isAccount = (account: ServiceAccountMatch) =>
    identity?.namespace === account.namespace && identity.serviceAccount === account.serviceAccount;
  const name = identity === null ? null : principal(identity);
  const isPrincipal = (pattern: StringMatch) => name !== null && stringMatches(pattern, name);
  const isNamespace = (pattern: StringMatch) => stringMatches(pattern, identity?.namespace ?? '');
  return (
    holds(match.serviceAccounts, match.notServiceAccounts, isAccount) &&
    holds(match.principals, match.notPrincipals, isPrincipal) &&
    holds(match.namespaces, match.notNamespaces, isNamespace)
  );
}

function holds<T>(
  positives: readonly T[],
  negatives: readonly T[],
  hits: (value: T) => boolean,
): boolean {
  return (positives.length === 0 || positives.some(hits)) && !negatives.some(hits);
}

/** Case-sensitive; `presence` matches any non-empty text. */
export function stringMatches(pattern: StringMatch, text: string): boolean {
  switch (pattern.kind) {
    case 'exact':
      return text === pattern.value;
    case 'prefix':
      return text.startsWith(pattern.value);
    case 'suffix':
      return text.endsWith(pattern.value);
    case 'presence':
      return text !== '';
  }
}
