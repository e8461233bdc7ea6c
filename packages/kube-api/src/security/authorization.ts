/** RBAC: what roles, bound to a user or one of its groups, allow (Kubernetes "Using RBAC Authorization"). */
import type { PolicyRule } from '@aquifer/model/resources';
import type { ApiObject } from '../cluster-client.ts';
import { listOr, objectOr, stringOr } from '../json.ts';
import type { UserInfo } from '../objects/write-request.ts';
import type { Storage } from '../storage/storage.ts';

/** What somebody wants to do. */
export interface AccessAttributes {
  readonly verb: string;
  /** Null for a path that is no resource. */
  readonly resource: {
    readonly group: string;
    readonly plural: string;
    readonly subresource: string;
    readonly namespace: string;
    readonly name: string;
  } | null;
  readonly path: string;
}

const RBAC = 'rbac.authorization.k8s.io';

function includesOrStar(list: unknown, value: string): boolean {
  const values = listOr(list);
  return values.includes('*') || values.includes(value);
}

function resourceMatches(rule: PolicyRule, plural: string, subresource: string): boolean {
  const wanted = subresource === '' ? plural : `${plural}/${subresource}`;
  return (rule.resources ?? []).some(
    (pattern) =>
      pattern === '*' ||
      pattern === wanted ||
      (subresource !== '' && (pattern === `*/${subresource}` || pattern === `${plural}/*`)),
  );
}

function pathMatches(pattern: string, path: string): boolean {
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : pattern === path;
}

function ruleAllows(rule: PolicyRule, { verb, resource, path }: AccessAttributes): boolean {
  if (!includesOrStar(rule.verbs, verb)) return false;
  if (resource === null) {
    return (rule.nonResourceURLs ?? []).some((pattern) => pathMatches(pattern, path));
  }
  const named = rule.resourceNames ?? [];
  return (
    includesOrStar(rule.apiGroups, resource.group) &&
    resourceMatches(rule, resource.plural, resource.subresource) &&
    (named.length === 0 || named.includes(resource.name))
  );
}

function names(user: UserInfo, subject: Record<string, unknown>, namespace: string): boolean {
  switch (subject.kind) {
    case 'User':
      return subject.name === user.username || subject.name === '*';
    case 'Group':
      return user.groups.includes(String(subject.name));
    default: {
      const space = stringOr(subject.namespace) ?? namespace;
      return user.username === `system:serviceaccount:${space}:${String(subject.name)}`;
    }
  }
}

/** Whether it is allowed. */
export interface AccessDecision {
  readonly allowed: boolean;
  /** Why, when a binding allows it; empty otherwise. */
  readonly reason: string;
}

/** Reads roles and bindings from the storage at each decision. */
export class Authorizer {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  decide(user: UserInfo, attributes: AccessAttributes): AccessDecision {
    // The group that may do anything, whatever the roles say.
    if (user.groups.includes('system:masters')) return { allowed: true, reason: '' };
    const namespace = attributes.resource?.namespace ?? '';
    for (const [binding, rule] of this.rulesOf(user, namespace)) {
      if (!ruleAllows(rule, attributes)) continue;
      const { kind, name } = objectOr(binding.roleRef);
      const reason = `RBAC: allowed by ${binding.kind} "${binding.metadata.name}" of ${String(kind)} "${String(name)}"`;
      return { allowed: true, reason };
    }
    return { allowed: false, reason: '' };
  }

  /** Every rule that applies to the user in a namespace (empty: cluster-wide), with the binding that grants it. */
  *rulesOf(user: UserInfo, namespace: string): Generator<readonly [ApiObject, PolicyRule]> {
    const bindings = [
      ...this.#storage.list(`${RBAC}/clusterrolebindings`),
      ...(namespace === '' ? [] : this.#storage.list(`${RBAC}/rolebindings`, namespace)),
    ];
    for (const binding of bindings) {
      const subjects = listOr(binding.subjects).map(objectOr);
      if (!subjects.some((subject) => names(user, subject, namespace))) continue;
      for (const rule of this.#rulesOfRole(binding)) yield [binding, rule];
    }
  }

  #rulesOfRole(binding: ApiObject): readonly PolicyRule[] {
    const { kind, name } = objectOr(binding.roleRef);
    const role =
      kind === 'ClusterRole'
        ? this.#storage.get(`${RBAC}/clusterroles`, '', String(name))
        : this.#storage.get(`${RBAC}/roles`, binding.metadata.namespace ?? '', String(name));
    return listOr(role?.rules) as readonly PolicyRule[];
  }
}
