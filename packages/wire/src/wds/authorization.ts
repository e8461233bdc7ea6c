import type { Authorization, AuthorizationMatch, Cidr, Result, StringMatch } from '@aquifer/model';
import { err, formatIpAddress, ok, parseIpAddress } from '@aquifer/model';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  Action,
  AuthorizationSchema,
  type MatchSchema,
  type Address as PbAddress,
  type Authorization as PbAuthorization,
  type Match as PbMatch,
  type StringMatch as PbStringMatch,
  Scope,
  type StringMatchSchema,
} from '../gen/istio/security_pb.ts';

const SCOPES = {
  global: Scope.GLOBAL,
  namespace: Scope.NAMESPACE,
  'workload-selector': Scope.WORKLOAD_SELECTOR,
} as const;

/** The model as WDS carries it. */
export function encodeAuthorization(policy: Authorization): PbAuthorization {
  return create(AuthorizationSchema, {
    name: policy.name,
    namespace: policy.namespace,
    scope: SCOPES[policy.scope],
    action: policy.action === 'allow' ? Action.ALLOW : Action.DENY,
    groups: policy.groups.map((rules) => ({
      rules: rules.map((matches) => ({ matches: matches.map(encodeMatch) })),
    })),
    dryRun: policy.dryRun,
  });
}

/** Anything that cannot be enforced exactly refuses the policy: a dropped condition would widen or narrow it. */
export function decodeAuthorization(message: PbAuthorization): Result<Authorization, string> {
  const scope = (Object.keys(SCOPES) as (keyof typeof SCOPES)[]).find(
    (word) => SCOPES[word] === message.scope,
  );
  if (scope === undefined) return err(`unknown scope ${message.scope}`);
  if (message.action !== Action.ALLOW && message.action !== Action.DENY) {
    return err(`unknown action ${message.action}`);
  }
  const groups: AuthorizationMatch[][][] = [];
  for (const group of message.groups) {
    const rules: AuthorizationMatch[][] = [];
    for (const rule of group.rules) {
      const matches: AuthorizationMatch[] = [];
      for (const match of rule.matches) {
        const decoded = decodeMatch(match);
        if (!decoded.ok) return decoded;
        matches.push(decoded.value);
      }
      rules.push(matches);
    }
    groups.push(rules);
  }
  return ok({
    name: message.name,
    namespace: message.namespace,
    scope,
    action: message.action === Action.ALLOW ? 'allow' : 'deny',
    groups,
    dryRun: message.dryRun,
  });
}

function encodeMatch(match: AuthorizationMatch): MessageInitShape<typeof MatchSchema> {
  return {
    namespaces: match.namespaces.map(encodeString),
    notNamespaces: match.notNamespaces.map(encodeString),
    principals: match.principals.map(encodeString),
    notPrincipals: match.notPrincipals.map(encodeString),
    serviceAccounts: match.serviceAccounts.map((account) => ({ ...account })),
    notServiceAccounts: match.notServiceAccounts.map((account) => ({ ...account })),
    sourceIps: match.sourceIps.map(encodeCidr),
    notSourceIps: match.notSourceIps.map(encodeCidr),
    destinationIps: match.destinationIps.map(encodeCidr),
    notDestinationIps: match.notDestinationIps.map(encodeCidr),
    destinationPorts: [...match.destinationPorts],
    notDestinationPorts: [...match.notDestinationPorts],
  };
}

function decodeMatch(match: PbMatch): Result<AuthorizationMatch, string> {
  const problems: string[] = [];
  const strings = (patterns: readonly PbStringMatch[]) =>
    patterns.map((pattern) => decodeString(pattern, problems));
  const ranges = (addresses: readonly PbAddress[]) =>
    addresses.map((address) => decodeCidr(address, problems));
  const accounts = (from: PbMatch['serviceAccounts']) =>
    from.map(({ namespace, serviceAccount }) => ({ namespace, serviceAccount }));
  const decoded: AuthorizationMatch = {
    namespaces: strings(match.namespaces),
    notNamespaces: strings(match.notNamespaces),
    principals: strings(match.principals),
    notPrincipals: strings(match.notPrincipals),
    serviceAccounts: accounts(match.serviceAccounts),
    notServiceAccounts: accounts(match.notServiceAccounts),
    sourceIps: ranges(match.sourceIps),
    notSourceIps: ranges(match.notSourceIps),
    destinationIps: ranges(match.destinationIps),
    notDestinationIps: ranges(match.notDestinationIps),
    destinationPorts: match.destinationPorts,
    notDestinationPorts: match.notDestinationPorts,
  };
  return problems.length === 0 ? ok(decoded) : err(problems.join(', '));
}

function encodeString(match: StringMatch): MessageInitShape<typeof StringMatchSchema> {
  if (match.kind === 'presence') return { matchType: { case: 'presence', value: {} } };
  return { matchType: { case: match.kind, value: match.value } };
}

function decodeString(message: PbStringMatch, problems: string[]): StringMatch {
  const { matchType } = message;
  switch (matchType.case) {
    case 'exact':
    case 'prefix':
    case 'suffix':
      return { kind: matchType.case, value: matchType.value };
    case 'presence':
      return { kind: 'presence' };
    case undefined:
      problems.push('string match of an unknown kind');
      return { kind: 'presence' };
  }
}

function encodeCidr(cidr: Cidr): { address: Uint8Array; length: number } {
  return { address: parseIpAddress(cidr.address) ?? new Uint8Array(), length: cidr.prefixLength };
}

function decodeCidr(message: PbAddress, problems: string[]): Cidr {
  const address = formatIpAddress(message.address);
  if (address === null || message.length > message.address.length * 8) {
    problems.push(`address range of ${message.address.length} bytes and /${message.length}`);
    return { address: '0.0.0.0', prefixLength: 32 };
  }
  return { address, prefixLength: message.length };
}
