// hot path: judged for every connection, and for all open ones when policies change
import type { Identity } from './identity.ts';
import { principal } from './identity.ts';
import { AddressRange, type AddressWords, addressWords } from './ip-address.ts';
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

/** One thing that policies say about a connection, as Istio's ztunnel logs it (spec ztunnel 4.4). */
export interface PolicyFinding {
  readonly text: string;
  /** `namespace/name`; null if no single one says it. */
  readonly policy: string | null;
}

/** A connection as compiled policies read it: texts parsed once, however often it is judged. */
export interface JudgedConnection {
  readonly identity: Identity | null;
  /** Without `spiffe://`; null for plaintext. */
  readonly principal: string | null;
  /** Null for a text that is no address: no range contains it. */
  readonly source: AddressWords | null;
  readonly destination: AddressWords | null;
  readonly destinationPort: number;
}

/** Parses what policies look at. */
export function judgedConnection(connection: PeerConnection): JudgedConnection {
  const { sourceIdentity, sourceIp, destinationIp, destinationPort } = connection;
  return {
    identity: sourceIdentity,
    principal: sourceIdentity === null ? null : principal(sourceIdentity),
    source: addressWords(sourceIp),
    destination: addressWords(destinationIp),
    destinationPort,
  };
}

type Condition = (connection: JudgedConnection) => boolean;

/** One policy, ready to judge. It never changes: another version is another object. */
export interface CompiledPolicy {
  /** `namespace/name`. */
  readonly key: string;
  readonly action: Authorization['action'];
  readonly dryRun: boolean;
  /** Whether any group matches. A policy without groups never does; a group without rules always. */
  readonly matches: Condition;
}

/** `namespace/name`. */
export function policyKey(policy: { readonly namespace: string; readonly name: string }): string {
  return `${policy.namespace}/${policy.name}`;
}

/** Parses addresses and leaves out what a policy does not ask for (semantics: spec ztunnel 5.9). */
export function compilePolicy(policy: Authorization): CompiledPolicy {
  const { action, dryRun } = policy;
  const matches = anyOf(policy.groups.map((rules) => allOf(rules.map(compileRule))));
  return { key: policyKey(policy), action, dryRun, matches };
}

/**
 * The policies of one workload: any DENY that matches refuses; without ALLOW policies everything else passes; otherwise
 * one ALLOW must match (spec ztunnel 4.4). Dry-run policies never decide.
 */
export class CompiledPolicies {
  readonly #denies: readonly CompiledPolicy[];
  readonly #allows: readonly CompiledPolicy[];
  readonly #unmatched: Verdict;
  readonly #dryRuns: readonly CompiledPolicy[];

  constructor(policies: readonly CompiledPolicy[]) {
    const enforced = policies.filter(({ dryRun }) => !dryRun);
    this.#denies = enforced.filter(({ action }) => action === 'deny');
    this.#allows = enforced.filter(({ action }) => action === 'allow');
    this.#unmatched = unmatchedVerdict(this.#allows);
    this.#dryRuns = policies.filter(({ dryRun }) => dryRun);
  }

  judge(connection: JudgedConnection): Verdict {
    for (const { key, matches } of this.#denies) {
      if (matches(connection)) {
        return { allowed: false, policy: key, reason: `explicitly denied by: ${key}` };
      }
    }
    for (const { key, matches } of this.#allows) {
      if (matches(connection)) return { allowed: true, policy: key };
    }
    return this.#unmatched;
  }

  /** What `judge` goes by, and what dry-run policies would say, for people. Slower, and for every policy that may match. */
  explain(connection: JudgedConnection): readonly PolicyFinding[] {
    return [...this.#explainDryRuns(connection), this.#explainVerdict(connection)];
  }

  #explainDryRuns(connection: JudgedConnection): PolicyFinding[] {
    const found: PolicyFinding[] = this.#dryRuns
      .filter(({ matches }) => matches(connection))
      .map(({ action, key }) => ({ text: `dry-run: ${action} policy match`, policy: key }));
    const allows = this.#dryRuns.filter(({ action }) => action === 'allow');
    const wouldRefuse = allows.length > 0 && !allows.some(({ matches }) => matches(connection));
    if (wouldRefuse && this.#allows.length === 0) {
      found.push({ text: 'dry-run: no allow policies match', policy: null });
    }
    return found;
  }

  #explainVerdict(connection: JudgedConnection): PolicyFinding {
    const deny = this.#denies.find(({ matches }) => matches(connection));
    if (deny !== undefined) return { text: 'deny policy match', policy: deny.key };
    if (this.#allows.length === 0) return { text: 'no allow policies, allow', policy: null };
    const allow = this.#allows.find(({ matches }) => matches(connection));
    if (allow !== undefined) return { text: 'allow policy match', policy: allow.key };
    return { text: 'no allow policies matched', policy: null };
  }
}

function unmatchedVerdict(allows: readonly CompiledPolicy[]): Verdict {
  if (allows.length === 0) return { allowed: true, policy: null };
  const policy = allows.map(({ key }) => key).join(',');
  return { allowed: false, policy, reason: 'allow policies exist, but none allowed' };
}

/** A rule without matches holds. */
function compileRule(matches: readonly AuthorizationMatch[]): Condition {
  return matches.length === 0 ? () => true : anyOf(matches.map(compileMatch));
}

/** A match without conditions never holds. */
function compileMatch(match: AuthorizationMatch): Condition {
  const conditions = [
    ...listed(match.destinationPorts, match.notDestinationPorts, isPort),
    ...listed(match.sourceIps, match.notSourceIps, (range) =>
      contains(new AddressRange(range), 'source'),
    ),
    ...listed(match.destinationIps, match.notDestinationIps, (range) =>
      contains(new AddressRange(range), 'destination'),
    ),
    ...listed(match.serviceAccounts, match.notServiceAccounts, isAccount),
    ...listed(match.principals, match.notPrincipals, isPrincipal),
    ...listed(match.namespaces, match.notNamespaces, isNamespace),
  ];
  return conditions.length === 0 ? () => false : allOf(conditions);
}

/** One of the first must hold, if there are any, and none of the second. */
function listed<T>(
  positives: readonly T[],
  negatives: readonly T[],
  compile: (value: T) => Condition,
): Condition[] {
  const conditions: Condition[] = [];
  if (positives.length > 0) conditions.push(anyOf(positives.map(compile)));
  if (negatives.length > 0) {
    const excluded = anyOf(negatives.map(compile));
    conditions.push((connection) => !excluded(connection));
  }
  return conditions;
}

function anyOf(conditions: readonly Condition[]): Condition {
  if (conditions.length === 1) return conditions[0]!;
  return (connection) => {
    for (const holds of conditions) if (holds(connection)) return true;
    return false;
  };
}

function allOf(conditions: readonly Condition[]): Condition {
  if (conditions.length === 1) return conditions[0]!;
  return (connection) => {
    for (const holds of conditions) if (!holds(connection)) return false;
    return true;
  };
}

function isPort(port: number): Condition {
  return (connection) => connection.destinationPort === port;
}

function contains(range: AddressRange, side: 'source' | 'destination'): Condition {
  return (connection) => {
    const address = connection[side];
    return address !== null && range.contains(address);
  };
}

function isAccount({ namespace, serviceAccount }: ServiceAccountMatch): Condition {
  return ({ identity }) =>
    identity?.namespace === namespace && identity.serviceAccount === serviceAccount;
}

function isPrincipal(pattern: StringMatch): Condition {
  return (connection) =>
    connection.principal !== null && stringMatches(pattern, connection.principal);
}

function isNamespace(pattern: StringMatch): Condition {
  return ({ identity }) => stringMatches(pattern, identity?.namespace ?? '');
}

/** Case-sensitive; `presence` matches any non-empty text. */
function stringMatches(pattern: StringMatch, text: string): boolean {
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
