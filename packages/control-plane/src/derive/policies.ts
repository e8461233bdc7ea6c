/**
 * AuthorizationPolicy to ztunnel's Authorization (spec control-plane 2.9), and what the policy's status says about it.
 * ztunnel sees no HTTP: an ALLOW rule that needs it is dropped, a DENY rule is enforced without it.
 */
import type { Authorization, AuthorizationMatch, Cidr, StringMatch } from '@aquifer/model';
import { EMPTY_MATCH, formatIpAddress, parseIpAddress } from '@aquifer/model';
import type { AuthorizationPolicy, AuthorizationRule } from '@aquifer/model/resources';
import { DRY_RUN_ANNOTATION } from './labels.ts';
import { annotationsOf, nameOf, namespaceOf, parseGoBool } from './object.ts';
import { hasLabels, isEmptyMap } from './selectors.ts';

/** Condition `ZtunnelAccepted` of a policy. */
export interface PolicyVerdict {
  readonly status: 'True' | 'False';
  readonly reason: 'Accepted' | 'UnsupportedValue';
  readonly message: string;
}

/** What a policy becomes at ztunnel; `verdict` is null for policies that belong to waypoints. */
export interface ConvertedPolicy {
  readonly authorization: Authorization | null;
  readonly verdict: PolicyVerdict | null;
}

type Source = NonNullable<NonNullable<AuthorizationRule['from']>[number]['source']>;
type Operation = NonNullable<NonNullable<AuthorizationRule['to']>[number]['operation']>;
type When = NonNullable<AuthorizationRule['when']>[number];

const ACCEPTED: PolicyVerdict = {
  status: 'True',
  reason: 'Accepted',
  message: 'attached to ztunnel',
};

export function convertPolicy(policy: AuthorizationPolicy, rootNamespace: string): ConvertedPolicy {
  const { action = 'ALLOW', rules = [] } = policy.spec ?? {};
  const namespace = namespaceOf(policy);
  const name = nameOf(policy);
  if (parseGoBool(annotationsOf(policy)[DRY_RUN_ANNOTATION]) === true) {
    return withheld(
      `found policy "${namespace}/${name}" using dry-run annotation, but support for ambient dry-run authorizationPolicies isn't enabled`,
    );
  }
  if (hasTargets(policy)) return { authorization: null, verdict: null };
  if (action !== 'ALLOW' && action !== 'DENY') {
    return withheld(`ztunnel does not support the ${action} action`);
  }
  const { groups, httpAttributes } = convertRules(rules, action, namespace);
  return {
    authorization: {
      name,
      namespace,
      scope: scopeOf(policy, rootNamespace),
      action: action === 'ALLOW' ? 'allow' : 'deny',
      groups,
      dryRun: false,
    },
    verdict: httpAttributes.size === 0 ? ACCEPTED : httpVerdict(action, httpAttributes),
  };
}

/** Whether the policy is attached to Services or Gateways, which makes it a waypoint's. */
function hasTargets(policy: AuthorizationPolicy): boolean {
  return policy.spec?.targetRef !== undefined || (policy.spec?.targetRefs ?? []).length > 0;
}

function scopeOf(policy: AuthorizationPolicy, rootNamespace: string): Authorization['scope'] {
  if (policy.spec?.selector !== undefined) return 'workload-selector';
  return namespaceOf(policy) === rootNamespace ? 'global' : 'namespace';
}

function convertRules(
  rules: readonly AuthorizationRule[],
  action: 'ALLOW' | 'DENY',
  namespace: string,
) {
  const httpAttributes = new Set<string>();
  const groups: AuthorizationMatch[][][] = [];
  for (const rule of rules) {
    const found = new Set<string>();
    const group = convertRule(rule, namespace, found);
    for (const attribute of found) httpAttributes.add(attribute);
    if (action === 'DENY' || found.size === 0) groups.push(group);
  }
  return { groups, httpAttributes };
}

/**
 * Whether a selector policy of the workload's namespace or the root namespace is listed by a workload. As recorded:
 * a workload without any label lists all of them; a selector without `matchLabels` is listed by nobody.
 */
export function selectsWorkload(
  policy: AuthorizationPolicy,
  labels: Readonly<Record<string, string>>,
): boolean {
  const wanted = policy.spec?.selector?.matchLabels;
  if (wanted === undefined) return false;
  return isEmptyMap(labels) || hasLabels(wanted, labels);
}

function withheld(message: string): ConvertedPolicy {
  return { authorization: null, verdict: { status: 'False', reason: 'UnsupportedValue', message } };
}

function httpVerdict(action: 'ALLOW' | 'DENY', attributes: ReadonlySet<string>): PolicyVerdict {
  const consequence =
    action === 'ALLOW'
      ? 'Within an ALLOW policy, rules matching HTTP attributes are omitted. This will be more restrictive than requested.'
      : 'DENY policy with HTTP attributes is enforced without the HTTP rules. This will be more restrictive than requested.';
  const found = [...attributes].toSorted().join(', ');
  return {
    status: 'True',
    reason: 'UnsupportedValue',
    message: `ztunnel does not support HTTP attributes (found: ${found}). In ambient mode you must use a waypoint proxy to enforce HTTP rules. ${consequence}`,
  };
}

/** The clauses of one rule, ANDed: operations, sources, then each condition. */
function convertRule(
  rule: AuthorizationRule,
  namespace: string,
  httpAttributes: Set<string>,
): AuthorizationMatch[][] {
  const { to = [], from = [], when = [] } = rule;
  const clauses: AuthorizationMatch[][] = [];
  if (to.length > 0) {
    clauses.push(to.map(({ operation = {} }) => convertOperation(operation, httpAttributes)));
  }
  if (from.length > 0) {
    clauses.push(from.map(({ source = {} }) => convertSource(source, namespace, httpAttributes)));
  }
  for (const condition of when) clauses.push([convertCondition(condition, httpAttributes)]);
  return clauses;
}

const HTTP_OPERATIONS = [
  'hosts',
  'notHosts',
  'methods',
  'notMethods',
  'paths',
  'notPaths',
] as const;
const HTTP_SOURCES = [
  'requestPrincipals',
  'notRequestPrincipals',
  'remoteIpBlocks',
  'notRemoteIpBlocks',
] as const;

function convertOperation(operation: Operation, httpAttributes: Set<string>): AuthorizationMatch {
  note(operation, HTTP_OPERATIONS, httpAttributes);
  return {
    ...EMPTY_MATCH,
    destinationPorts: ports(operation.ports),
    notDestinationPorts: ports(operation.notPorts),
  };
}

function convertSource(
  source: Source,
  namespace: string,
  httpAttributes: Set<string>,
): AuthorizationMatch {
  note(source, HTTP_SOURCES, httpAttributes);
  return {
    ...EMPTY_MATCH,
    sourceIps: ranges(source.ipBlocks),
    notSourceIps: ranges(source.notIpBlocks),
    namespaces: patterns(source.namespaces),
    notNamespaces: patterns(source.notNamespaces),
    principals: patterns(source.principals),
    notPrincipals: patterns(source.notPrincipals),
    serviceAccounts: accounts(source.serviceAccounts, namespace),
    notServiceAccounts: accounts(source.notServiceAccounts, namespace),
  };
}

function note<Name extends string>(
  clause: { readonly [Key in Name]?: readonly string[] | undefined },
  names: readonly Name[],
  httpAttributes: Set<string>,
): void {
  for (const name of names) if ((clause[name]?.length ?? 0) > 0) httpAttributes.add(name);
}

type Values = readonly string[] | undefined;

/** The condition keys that are properties of a connection; every other key needs HTTP. */
const CONNECTION_KEYS: Readonly<
  Record<string, (values: Values, notValues: Values) => Partial<AuthorizationMatch>>
> = {
  'source.ip': (values, notValues) => ({
    sourceIps: ranges(values),
    notSourceIps: ranges(notValues),
  }),
  'source.namespace': (values, notValues) => ({
    namespaces: patterns(values),
    notNamespaces: patterns(notValues),
  }),
  'source.principal': (values, notValues) => ({
    principals: patterns(values),
    notPrincipals: patterns(notValues),
  }),
  'destination.ip': (values, notValues) => ({
    destinationIps: ranges(values),
    notDestinationIps: ranges(notValues),
  }),
  'destination.port': (values, notValues) => ({
    destinationPorts: ports(values),
    notDestinationPorts: ports(notValues),
  }),
};

function convertCondition(condition: When, httpAttributes: Set<string>): AuthorizationMatch {
  if (Object.hasOwn(CONNECTION_KEYS, condition.key)) {
    const convert = CONNECTION_KEYS[condition.key]!;
    return { ...EMPTY_MATCH, ...convert(condition.values, condition.notValues) };
  }
  httpAttributes.add(condition.key);
  return EMPTY_MATCH;
}

/** `*` is presence, `*x` a suffix, `x*` a prefix, anything else exact. */
function patterns(values: Values = []): StringMatch[] {
  return values.map((value) => {
    if (value === '*') return { kind: 'presence' };
    if (value.startsWith('*')) return { kind: 'suffix', value: value.slice(1) };
    if (value.endsWith('*')) return { kind: 'prefix', value: value.slice(0, -1) };
    return { kind: 'exact', value };
  });
}

/** `namespace/name`, or a bare name in the policy's own namespace. */
function accounts(values: Values = [], namespace: string) {
  return values.map((value) => {
    const slash = value.indexOf('/');
    if (slash < 0) return { namespace, serviceAccount: value };
    return { namespace: value.slice(0, slash), serviceAccount: value.slice(slash + 1) };
  });
}

/** As recorded: what is no port number from 0 to 65535 is left out. */
function ports(values: Values = []): number[] {
  return values
    .filter((value) => /^\d+$/.test(value))
    .map(Number)
    .filter((port) => port <= 65535);
}

/** Addresses and ranges, not masked; as recorded, what does not parse is left out. */
function ranges(values: Values = []): Cidr[] {
  const parsed: Cidr[] = [];
  for (const value of values) {
    const [text = '', length, ...rest] = value.split('/');
    const bytes = parseIpAddress(text);
    if (bytes === null || rest.length > 0) continue;
    const bits = bytes.length * 8;
    const prefixLength = length === undefined ? bits : /^\d+$/.test(length) ? Number(length) : -1;
    if (prefixLength < 0 || prefixLength > bits) continue;
    parsed.push({ address: formatIpAddress(bytes)!, prefixLength });
  }
  return parsed;
}
