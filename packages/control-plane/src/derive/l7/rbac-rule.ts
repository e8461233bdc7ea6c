/** One rule of an AuthorizationPolicy as an Envoy RBAC policy (spec l7 5; recording l7/23). */

import type { AuthorizationRule } from '@aquifer/model/resources';
import type { PolicySchema } from '@aquifer/wire/gen/envoy/config/rbac/v3_pb';
import type { Init } from './packed.ts';
import { requestPrincipal, type TokenCondition, tokenAttribute } from './rbac-tokens.ts';
import {
  destinationAddress,
  host,
  isPath,
  method,
  NO_PERMISSION,
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

/** What of a rule cannot be checked here: HTTP on a TCP chain, a bad template, a key that means nothing. */
class Unchecked {
  isFound = false;
}

/** Null when the rule can never hold. */
export function rbacPolicy(rule: AuthorizationRule, context: RuleContext): PolicyInit | null {
  const { from = [], to = [], when = [] } = rule;
  const unchecked = new Unchecked();
  const known = when.filter(({ key }) => isKnownKey(key));
  if (known.length < when.length) unchecked.isFound = true;
  const conditions = known.map((condition) => convertCondition(condition, context, unchecked));
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

/** How lists of one kind of condition are written. */
interface Notation<T> {
  readonly either: (items: T[]) => T;
  readonly not: (item: T) => T;
  readonly never: T;
}

const PERMISSIONS: Notation<PermissionInit> = {
  either: (rules) => ({ rule: { case: 'orRules', value: { rules } } }),
  not: (rule) => ({ rule: { case: 'notRule', value: rule } }),
  never: NO_PERMISSION,
};

const PRINCIPALS: Notation<PrincipalInit> = {
  either: (ids) => ({ identifier: { case: 'orIds', value: { ids } } }),
  not: (id) => ({ identifier: { case: 'notId', value: id } }),
  never: NOBODY,
};

/** A list of values one of which must be, and a list of values none of which may be. */
interface Lists<T> {
  readonly values: Values;
  readonly notValues: Values;
  /** Null for a value that cannot be read. */
  readonly convert: (value: string) => T | null;
}

/** A value that cannot be read might be the one: an ALLOW rule then does not hold, every other does (ADR 13). */
function clauses<T>(
  { values = [], notValues = [], convert }: Lists<T>,
  { either, not, never }: Notation<T>,
  { action }: RuleContext,
): T[] {
  const result: T[] = [];
  const wanted = values.map(convert);
  const isWantedKnown = !wanted.includes(null);
  if (wanted.length > 0 && (isWantedKnown || action === 'ALLOW')) {
    result.push(either(wanted.map((item) => item ?? never)));
  }
  const unwanted = notValues.map(convert);
  const known = unwanted.flatMap((item) => (item === null ? [] : [item]));
  if (known.length < unwanted.length && action === 'ALLOW') result.push(never);
  else if (known.length > 0) result.push(not(either(known)));
  return result;
}

function permissions(lists: Lists<PermissionInit>, context: RuleContext): PermissionInit[] {
  return clauses(lists, PERMISSIONS, context);
}

function principals(lists: Lists<PrincipalInit>, context: RuleContext): PrincipalInit[] {
  return clauses(lists, PRINCIPALS, context);
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
    ...permissions({ values: hosts, notValues: notHosts, convert: host }, context),
    ...permissions({ values: methods, notValues: notMethods, convert: method }, context),
    ...(hasPaths
      ? permissions({ values: paths, notValues: notPaths, convert: path }, context)
      : []),
  ];
  if (!hasPaths) unchecked.isFound = true;
  const onPorts = permissions({ values: ports, notValues: notPorts, convert: port }, context);
  return [...httpOnly(http, context, unchecked), ...onPorts];
}

/** As recorded, of what is asked of a token each list is one principal. */
function ofToken(values: Values, notValues: Values, condition: TokenCondition): PrincipalInit[] {
  const wanted = values?.length ? [condition(values)] : [];
  const unwanted = notValues?.length ? [PRINCIPALS.not(condition(notValues))] : [];
  return [...wanted, ...unwanted];
}

function convertSource(
  source: Source,
  context: RuleContext,
  unchecked: Unchecked,
): PrincipalInit[] {
  const { requestPrincipals, notRequestPrincipals } = source;
  const either = (
    values: Values,
    notValues: Values,
    convert: (value: string) => PrincipalInit | null,
  ): PrincipalInit[] => principals({ values, notValues, convert }, context);
  const account = serviceAccount(context.namespace);
  return [
    ...either(source.principals, source.notPrincipals, principal),
    ...httpOnly(
      ofToken(requestPrincipals, notRequestPrincipals, requestPrincipal),
      context,
      unchecked,
    ),
    ...either(source.serviceAccounts, source.notServiceAccounts, account),
    ...either(source.namespaces, source.notNamespaces, namespace),
    ...either(source.remoteIpBlocks, source.notRemoteIpBlocks, sourceAddress('remoteIp')),
    ...either(source.ipBlocks, source.notIpBlocks, sourceAddress('directRemoteIp')),
  ];
}

interface ConvertedCondition {
  readonly permissions?: PermissionInit[];
  readonly principals?: PrincipalInit[];
}

const DESTINATION_KEYS: ReadonlyMap<string, (value: string) => PermissionInit | null> = new Map([
  ['destination.ip', destinationAddress],
  ['destination.port', port],
  ['connection.sni', serverName],
]);

const SOURCE_KEYS: ReadonlyMap<string, (value: string) => PrincipalInit | null> = new Map([
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
  const lists = { values, notValues };
  const onDestination = DESTINATION_KEYS.get(key);
  if (onDestination !== undefined) {
    return { permissions: permissions({ ...lists, convert: onDestination }, context) };
  }
  const onConnection =
    key === 'source.serviceAccount' ? serviceAccount(context.namespace) : SOURCE_KEYS.get(key);
  if (onConnection !== undefined)
    return { principals: principals({ ...lists, convert: onConnection }, context) };
  // Nothing here writes metadata of a connection, so it has no value.
  if (key.startsWith(METADATA_KEYS))
    return { principals: principals({ ...lists, convert: () => NOBODY }, context) };
  return { principals: httpOnly(onRequest(key, lists, context), context, unchecked) };
}

/** Of keys that are known. */
function onRequest(
  key: string,
  { values, notValues }: Pick<Condition, 'values' | 'notValues'>,
  context: RuleContext,
): PrincipalInit[] {
  const header = headerOf(key);
  if (header !== null) {
    return principals({ values, notValues, convert: requestHeader(header) }, context);
  }
  const condition = tokenAttribute(key);
  return condition === null ? [] : ofToken(values, notValues, condition);
}

const METADATA_KEYS = 'experimental.envoy.filters.';

/** Istio leaves out a rule with a key that means nothing whole, whatever its action; ours does so with ALLOW rules only. */
function isKnownKey(key: string): boolean {
  if (DESTINATION_KEYS.has(key) || SOURCE_KEYS.has(key)) return true;
  return (
    key === 'source.serviceAccount' ||
    key.startsWith(METADATA_KEYS) ||
    headerOf(key) !== null ||
    tokenAttribute(key) !== null
  );
}

/** The header that a key asks for; null for other keys. */
function headerOf(key: string): string | null {
  return /^request\.headers\[([^\]]+)\]$/.exec(key)?.[1] ?? null;
}
