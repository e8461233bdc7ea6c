/** AuthorizationPolicies as RBAC filters: what cannot be asked is denied, then AUDIT, DENY, ALLOW (spec l7 5.1, 5.5). */
import type { AuthorizationPolicy } from '@aquifer/model/resources';
import { RBAC_Action, type RBACSchema } from '@aquifer/wire/gen/envoy/config/rbac/v3_pb';
import { RBACSchema as HttpRbacSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/rbac/v3_pb';
import { RBACSchema as NetworkRbacSchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/rbac/v3_pb';
import { DRY_RUN_ANNOTATION } from '../labels.ts';
import { annotationsOf, nameOf, namespaceOf, parseGoBool } from '../object.ts';
import { type Extension, extension, type Init } from './packed.ts';
import { type RuleContext, rbacPolicy } from './rbac-rule.ts';

type Rules = Init<typeof RBACSchema>;
type Protocol = RuleContext['protocol'];
type Action = RuleContext['action'];

/** What the chain of a filter decides. */
type Chain = Pick<RuleContext, 'protocol' | 'peer'>;

interface FilterInit {
  readonly rules?: Rules;
  readonly shadowRules?: Rules;
  readonly shadowRulesStatPrefix?: string;
}

const ENVOY_ACTION: Readonly<Record<Action, RBAC_Action>> = {
  ALLOW: RBAC_Action.ALLOW,
  DENY: RBAC_Action.DENY,
  AUDIT: RBAC_Action.LOG,
  CUSTOM: RBAC_Action.DENY,
};

/** The filters of one chain, in the order in which they run. */
export function authorizationFilters(
  policies: readonly AuthorizationPolicy[],
  protocol: Protocol,
  peer: RuleContext['peer'],
): Extension[] {
  const filters = (['CUSTOM', 'AUDIT', 'DENY', 'ALLOW'] as const).flatMap((action) => {
    const found = policies.filter(({ spec = {} }) => (spec.action ?? 'ALLOW') === action);
    return found.length === 0 ? [] : [filterOf(found, action, { protocol, peer })];
  });
  return filters.map((init) =>
    protocol === 'http'
      ? extension('envoy.filters.http.rbac', HttpRbacSchema, init)
      : extension('envoy.filters.network.rbac', NetworkRbacSchema, { ...init, statPrefix: 'tcp.' }),
  );
}

/** A dry run is evaluated as shadow rules, which decide nothing. */
function filterOf(
  policies: readonly AuthorizationPolicy[],
  action: Action,
  chain: Chain,
): FilterInit {
  const enforced = policies.filter((policy) => !isDryRun(policy));
  const shadow = policies.filter(isDryRun);
  const isShadowedDeny = action === 'DENY' && shadow.length > 0;
  return {
    ...(enforced.length > 0 && { rules: rulesOf(enforced, action, chain) }),
    ...(shadow.length > 0 && { shadowRules: rulesOf(shadow, action, chain) }),
    ...(action !== 'CUSTOM' && {
      shadowRulesStatPrefix: isShadowedDeny ? 'istio_dry_run_deny_' : 'istio_dry_run_allow_',
    }),
  };
}

function isDryRun(policy: AuthorizationPolicy): boolean {
  return parseGoBool(annotationsOf(policy)[DRY_RUN_ANNOTATION]) === true;
}

function rulesOf(policies: readonly AuthorizationPolicy[], action: Action, chain: Chain): Rules {
  const converted = policies.flatMap((policy) =>
    (policy.spec?.rules ?? []).map((rule, index) => {
      const context = { ...chain, namespace: namespaceOf(policy), action };
      return [ruleName(policy, index), rbacPolicy(rule, context)] as const;
    }),
  );
  const effective = converted.flatMap(([name, policy]) =>
    policy === null ? [] : [[name, policy]],
  );
  return { action: ENVOY_ACTION[action], policies: Object.fromEntries(effective) };
}

/** What a denied request's details name. No provider is known here, so a CUSTOM rule denies what it matches. */
function ruleName(policy: AuthorizationPolicy, index: number): string {
  const name = `ns[${namespaceOf(policy)}]-policy[${nameOf(policy)}]-rule[${index}]`;
  if (policy.spec?.action !== 'CUSTOM') return name;
  const provider = policy.spec.provider?.name ?? '';
  return `istio-ext-authz-${provider}-${name}-deny-due-to-bad-CUSTOM-action`;
}
