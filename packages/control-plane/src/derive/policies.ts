/**
 * AuthorizationPolicy to ztunnel's Authorization (spec control-plane 2.9), and what the policy's status says about it.
 * ztunnel sees no HTTP: an ALLOW rule that needs it is dropped, a DENY rule is enforced without it (ADR 13).
 */

import type { Authorization, AuthorizationMatch } from '@aquifer/model';
import { hasLabels } from '@aquifer/model/kubernetes';
import type { AuthorizationPolicy, AuthorizationRule } from '@aquifer/model/resources';
import { convertRule, type RuleFindings } from './authorization-rule.ts';
import { isEmptyMap } from './label-maps.ts';
import { DRY_RUN_ANNOTATION } from './labels.ts';
import { annotationsOf, nameOf, namespaceOf, parseGoBool } from './object.ts';

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
  const { groups, findings } = convertRules(rules, action, namespace);
  return {
    authorization: {
      name,
      namespace,
      scope: scopeOf(policy, rootNamespace),
      action: action === 'ALLOW' ? 'allow' : 'deny',
      groups,
      dryRun: false,
    },
    verdict: verdictOn(action, findings),
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
  const all: RuleFindings = { httpAttributes: new Set(), unreadable: new Set() };
  const groups: AuthorizationMatch[][][] = [];
  for (const rule of rules) {
    const { group, findings } = convertRule(rule, { action, namespace });
    for (const attribute of findings.httpAttributes) all.httpAttributes.add(attribute);
    for (const value of findings.unreadable) all.unreadable.add(value);
    if (action === 'DENY' || findings.httpAttributes.size === 0) groups.push(group);
  }
  return { groups, findings: all };
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

function verdictOn(
  action: 'ALLOW' | 'DENY',
  { httpAttributes, unreadable }: RuleFindings,
): PolicyVerdict {
  if (unreadable.size > 0) return unreadableVerdict(action, unreadable);
  return httpAttributes.size === 0 ? ACCEPTED : httpVerdict(action, httpAttributes);
}

function unreadableVerdict(action: 'ALLOW' | 'DENY', values: ReadonlySet<string>): PolicyVerdict {
  const consequence =
    action === 'ALLOW'
      ? 'Until it is corrected, it allows nothing.'
      : 'Until it is corrected, the rule denies whatever else it matches, as if that value were not there.';
  return {
    status: 'False',
    reason: 'UnsupportedValue',
    message: `cannot be read: ${[...values].toSorted().join(', ')}. ${consequence}`,
  };
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
