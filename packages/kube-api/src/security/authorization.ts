/** RBAC: what roles, bound to a user or one of its groups, allow (Kubernetes "Using RBAC Authorization"). */
import type { PolicyRule, RoleBinding } from '@aquifer/model/resources';
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

type Subject = NonNullable<RoleBinding['subjects']>[number];

function includesOrStar(values: readonly string[] = [], value: string): boolean {
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

function names(user: UserInfo, subject: Subject, namespace: string): boolean {
  switch (subject.kind) {
    case 'User':
      return subject.name === user.username || subject.name === '*';
    case 'Group':
      return user.groups.includes(subject.name);
    default: {
      const space = subject.namespace ?? namespace;
      return user.username === `system:serviceaccount:${space}:${subject.name}`;
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
      const { kind, name } = binding.roleRef;
      const reason = `RBAC: allowed by ${binding.kind} "${binding.metadata.name}" of ${kind} "${name}"`;
      return { allowed: true, reason };
    }
    return { allowed: false, reason: '' };
  }

  /** Every rule that applies to the user in a namespace (empty: cluster-wide), with the binding that grants it. */
  *rulesOf(user: UserInfo, namespace: string): Generator<readonly [RoleBinding, PolicyRule]> {
    const bindings = [
      ...this.#storage.list(`${RBAC}/clusterrolebindings`),
      ...(namespace === '' ? [] : this.#storage.list(`${RBAC}/rolebindings`, namespace)),
    ];
    for (const object of bindings) {
      const binding = object as RoleBinding;
      if (!(binding.subjects ?? []).some((subject) => names(user, subject, namespace))) continue;
      for (const rule of this.#rulesOfRole(binding)) yield [binding, rule];
    }
  }

  #rulesOfRole({ roleRef, metadata }: RoleBinding): readonly PolicyRule[] {
    const { kind, name } = roleRef;
    const role =
      kind === 'ClusterRole'
        ? this.#storage.get(`${RBAC}/clusterroles`, '', name)
        : this.#storage.get(`${RBAC}/roles`, metadata.namespace ?? '', name);
    return role?.rules ?? [];
  }
}
