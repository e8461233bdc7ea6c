/** One rule of an AuthorizationPolicy as an Envoy RBAC policy (spec l7 5; recording l7/23). */

import type { AuthorizationRule } from '@aquifer/model/resources';
import type { PolicySchema } from '@aquifer/wire/gen/envoy/config/rbac/v3_pb';
import type { Init } from './packed.ts';
import {
  destinationAddress,
  host,
  isPath,
  method,
  NOBODY,
  namespace,
  type PermissionInit,
  type PrincipalInit,
  path,
  port,
  principal,
  requestHeader,
  serverName,
  serviceAccount,
  sourceAddress,
} from './rbac-values.ts';

type PolicyInit = Init<typeof PolicySchema>;
type Source = NonNullable<NonNullable<AuthorizationRule['from']>[number]['source']>;
type Operation = NonNullable<NonNullable<AuthorizationRule['to']>[number]['operation']>;
type Condition = NonNullable<AuthorizationRule['when']>[number];
type Values = readonly string[] | undefined;

/** What a rule is converted for. */
export interface RuleContext {
  /** Of the policy: a bare service account belongs to it. */
  readonly namespace: string;
  readonly protocol: 'http' | 'tcp';
  /** Only ALLOW rules are lost when they cannot be checked; the others lose the condition and hold more often. */
  readonly action: 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM';
}

/** What of a rule cannot be checked here: HTTP on a TCP chain, a bad template. */
class Unchecked {
  isFound = false;
}

/** Null when the rule can never hold. */
export function rbacPolicy(rule: AuthorizationRule, context: RuleContext): PolicyInit | null {
  const { from = [], to = [], when = [] } = rule;
  if (!when.every(({ key }) => isKnownKey(key))) return null;
  const unchecked = new Unchecked();
  const conditions = when.map((condition) => convertCondition(condition, context, unchecked));
  const ofPermissions = conditions.flatMap(({ permissions = [] }) => permissions);
  const ofPrincipals = conditions.flatMap(({ principals = [] }) => principals);
  const operations = to.length === 0 ? [{}] : to;
  const sources = from.length === 0 ? [{}] : from;
  const permissions = operations.map(({ operation = {} }) =>
    allPermissions([...convertOperation(operation, context, unchecked), ...ofPermissions]),
  );
  const principals = sources.map(({ source = {} }) =>
    allPrincipals([...convertSource(source, context, unchecked), ...ofPrincipals]),
  );
  return unchecked.isFound && context.action === 'ALLOW' ? null : { permissions, principals };
}

function allPermissions(rules: PermissionInit[]): PermissionInit {
  const any: PermissionInit = { rule: { case: 'any', value: true } };
  return { rule: { case: 'andRules', value: { rules: rules.length === 0 ? [any] : rules } } };
}

function allPrincipals(ids: PrincipalInit[]): PrincipalInit {
  const any: PrincipalInit = { identifier: { case: 'any', value: true } };
  return { identifier: { case: 'andIds', value: { ids: ids.length === 0 ? [any] : ids } } };
}

function permissions(
  values: Values = [],
  notValues: Values = [],
  convert: (value: string) => PermissionInit,
): PermissionInit[] {
  const either = (list: readonly string[]): PermissionInit => ({
    rule: { case: 'orRules', value: { rules: list.map(convert) } },
  });
  const clauses = values.length === 0 ? [] : [either(values)];
  if (notValues.length > 0) clauses.push({ rule: { case: 'notRule', value: either(notValues) } });
  return clauses;
}

function principals(
  values: Values = [],
  notValues: Values = [],
  convert: (value: string) => PrincipalInit,
): PrincipalInit[] {
  const either = (list: readonly string[]): PrincipalInit => ({
    identifier: { case: 'orIds', value: { ids: list.map(convert) } },
  });
  const clauses = values.length === 0 ? [] : [either(values)];
  if (notValues.length > 0)
    clauses.push({ identifier: { case: 'notId', value: either(notValues) } });
  return clauses;
}

/** The clauses if they can be checked on this chain; else none, and the rule knows. */
function httpOnly<T>(clauses: T[], { protocol }: RuleContext, unchecked: Unchecked): T[] {
  if (protocol === 'http' || clauses.length === 0) return clauses;
  unchecked.isFound = true;
  return [];
}

function convertOperation(
  operation: Operation,
  context: RuleContext,
  unchecked: Unchecked,
): PermissionInit[] {
  const { hosts, notHosts, methods, notMethods, paths, notPaths, ports, notPorts } = operation;
  const hasPaths = [...(paths ?? []), ...(notPaths ?? [])].every(isPath);
  const http = [
    ...permissions(hosts, notHosts, host),
    ...permissions(methods, notMethods, method),
    ...(hasPaths ? permissions(paths, notPaths, path) : []),
  ];
  if (!hasPaths) unchecked.isFound = true;
  return [...httpOnly(http, context, unchecked), ...permissions(ports, notPorts, port)];
}

/** No token is ever validated at the waypoint, so none has a principal. */
const noToken = (): PrincipalInit => NOBODY;

function convertSource(
  source: Source,
  context: RuleContext,
  unchecked: Unchecked,
): PrincipalInit[] {
  const { requestPrincipals, notRequestPrincipals } = source;
  const tokens = principals(requestPrincipals, notRequestPrincipals, noToken);
  const account = serviceAccount(context.namespace);
  return [
    ...principals(source.principals, source.notPrincipals, principal),
    ...httpOnly(tokens, context, unchecked),
    ...principals(source.serviceAccounts, source.notServiceAccounts, account),
    ...principals(source.namespaces, source.notNamespaces, namespace),
    ...principals(source.remoteIpBlocks, source.notRemoteIpBlocks, sourceAddress('remoteIp')),
    ...principals(source.ipBlocks, source.notIpBlocks, sourceAddress('directRemoteIp')),
  ];
}

interface ConvertedCondition {
  readonly permissions?: PermissionInit[];
  readonly principals?: PrincipalInit[];
}

const DESTINATION_KEYS: ReadonlyMap<string, (value: string) => PermissionInit> = new Map([
  ['destination.ip', destinationAddress],
  ['destination.port', port],
  ['connection.sni', serverName],
]);

const SOURCE_KEYS: ReadonlyMap<string, (value: string) => PrincipalInit> = new Map([
  ['source.ip', sourceAddress('directRemoteIp')],
  ['remote.ip', sourceAddress('remoteIp')],
  ['source.namespace', namespace],
  ['source.principal', principal],
]);

function convertCondition(
  { key, values, notValues }: Condition,
  context: RuleContext,
  unchecked: Unchecked,
): ConvertedCondition {
  const onDestination = DESTINATION_KEYS.get(key);
  if (onDestination !== undefined) {
    return { permissions: permissions(values, notValues, onDestination) };
  }
  const onConnection =
    key === 'source.serviceAccount' ? serviceAccount(context.namespace) : SOURCE_KEYS.get(key);
  if (onConnection !== undefined)
    return { principals: principals(values, notValues, onConnection) };
  // Nothing here writes metadata of a connection, so it has no value.
  if (key.startsWith(METADATA_KEYS))
    return { principals: principals(values, notValues, () => NOBODY) };
  const onRequest = requestAttribute(key) ?? noToken;
  return { principals: httpOnly(principals(values, notValues, onRequest), context, unchecked) };
}

const METADATA_KEYS = 'experimental.envoy.filters.';

/** A rule with a key that means nothing is left out whole, whatever its action, as in Istio (spec l7 5.3). */
function isKnownKey(key: string): boolean {
  if (DESTINATION_KEYS.has(key) || SOURCE_KEYS.has(key)) return true;
  return (
    key === 'source.serviceAccount' ||
    key.startsWith(METADATA_KEYS) ||
    requestAttribute(key) !== null
  );
}

/** Null for keys that mean nothing here. */
function requestAttribute(key: string): ((value: string) => PrincipalInit) | null {
  const [, name] = /^request\.headers\[([^\]]+)\]$/.exec(key) ?? [];
  if (name !== undefined) return requestHeader(name);
  return key.startsWith('request.auth.') ? noToken : null;
}
