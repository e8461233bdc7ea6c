/** AuthorizationPolicies as filters: CUSTOM, then AUDIT, DENY, ALLOW (spec l7 5.1, 5.5). */
import type { AuthorizationPolicy } from '@aquifer/model/resources';
import { RBAC_Action, type RBACSchema } from '@aquifer/wire/gen/envoy/config/rbac/v3_pb';
import { RBACSchema as HttpRbacSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/rbac/v3_pb';
import { RBACSchema as NetworkRbacSchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/rbac/v3_pb';
import type { ExtensionProvider } from '../extension-providers.ts';
import { DRY_RUN_ANNOTATION } from '../labels.ts';
import { annotationsOf, nameOf, namespaceOf, parseGoBool } from '../object.ts';
import { type AskedProvider, askedRulePrefix, externalFilters } from './external-authorization.ts';
import { type Extension, extension, type Init } from './packed.ts';
import { type RuleContext, rbacPolicy } from './rbac-rule.ts';

type Rules = Init<typeof RBACSchema>;
type Protocol = RuleContext['protocol'];
type Action = RuleContext['action'];

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

/** Of CUSTOM policies, before tokens are verified: who is asked may be who adds them. What nobody can be asked about is denied. */
export function customFilters(
  policies: readonly AuthorizationPolicy[],
  protocol: Protocol,
  providers: readonly ExtensionProvider[],
): Extension[] {
  const custom = policies.filter(({ spec }) => spec?.action === 'CUSTOM');
  const asked = askedProviders(custom, providers);
  const unasked = custom.filter(
    (policy) => !asked.some(({ name }) => name === policy.spec?.provider?.name),
  );
  return [...externalFilters(asked), ...judging(unasked, 'CUSTOM', protocol)];
}

/** Of the others, in the order in which they run. */
export function authorizationFilters(
  policies: readonly AuthorizationPolicy[],
  protocol: Protocol,
): Extension[] {
  return (['AUDIT', 'DENY', 'ALLOW'] as const).flatMap((action) => {
    const found = policies.filter(({ spec = {} }) => (spec.action ?? 'ALLOW') === action);
    return judging(found, action, protocol);
  });
}

function judging(
  policies: readonly AuthorizationPolicy[],
  action: Action,
  protocol: Protocol,
): Extension[] {
  if (policies.length === 0) return [];
  const init = filterOf(policies, action, protocol);
  return [
    protocol === 'http'
      ? extension('envoy.filters.http.rbac', HttpRbacSchema, init)
      : extension('envoy.filters.network.rbac', NetworkRbacSchema, { ...init, statPrefix: 'tcp.' }),
  ];
}

/** Those that policies name and that can be asked, by name. A dry run is nobody's to ask about. */
function askedProviders(
  policies: readonly AuthorizationPolicy[],
  providers: readonly ExtensionProvider[],
): AskedProvider[] {
  return providers
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(({ name, authorization }) => {
      const own = policies.filter(
        (policy) => policy.spec?.provider?.name === name && !isDryRun(policy),
      );
      if (authorization === null || own.length === 0) return [];
      const rules = rulesOf(own, { action: 'CUSTOM', protocol: 'http', ending: '' });
      return [{ name, provider: authorization, rules }];
    });
}

/** A dry run is evaluated as shadow rules, which decide nothing. */
function filterOf(
  policies: readonly AuthorizationPolicy[],
  action: Action,
  protocol: Protocol,
): FilterInit {
  const enforced = policies.filter((policy) => !isDryRun(policy));
  const shadow = policies.filter(isDryRun);
  const context = { action, protocol, ending: action === 'CUSTOM' ? UNASKED : '' };
  const isShadowedDeny = action === 'DENY' && shadow.length > 0;
  return {
    ...(enforced.length > 0 && { rules: rulesOf(enforced, context) }),
    ...(shadow.length > 0 && { shadowRules: rulesOf(shadow, context) }),
    ...(action !== 'CUSTOM' && {
      shadowRulesStatPrefix: isShadowedDeny ? 'istio_dry_run_deny_' : 'istio_dry_run_allow_',
    }),
  };
}

function isDryRun(policy: AuthorizationPolicy): boolean {
  return parseGoBool(annotationsOf(policy)[DRY_RUN_ANNOTATION]) === true;
}

interface RulesContext extends Pick<RuleContext, 'action' | 'protocol'> {
  /** Of the names of rules. */
  readonly ending: string;
}

function rulesOf(
  policies: readonly AuthorizationPolicy[],
  { action, protocol, ending }: RulesContext,
): Rules {
  const converted = policies.flatMap((policy) =>
    (policy.spec?.rules ?? []).map((rule, index) => {
      const context = { namespace: namespaceOf(policy), protocol, action };
      return [`${ruleName(policy, index)}${ending}`, rbacPolicy(rule, context)] as const;
    }),
  );
  const effective = converted.flatMap(([name, policy]) =>
    policy === null ? [] : [[name, policy]],
  );
  return { action: ENVOY_ACTION[action], policies: Object.fromEntries(effective) };
}

/** How CUSTOM rules end that deny what they match, since nobody can be asked. */
const UNASKED = '-deny-due-to-bad-CUSTOM-action';

/** What a denied request's details name. */
function ruleName(policy: AuthorizationPolicy, index: number): string {
  const name = `ns[${namespaceOf(policy)}]-policy[${nameOf(policy)}]-rule[${index}]`;
  if (policy.spec?.action !== 'CUSTOM') return name;
  const provider = policy.spec.provider?.name ?? '';
  return `${askedRulePrefix(provider)}-${name}`;
}
