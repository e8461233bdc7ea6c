/** AuthorizationPolicies as RBAC filters: what cannot be asked is denied, then AUDIT, DENY, ALLOW (spec l7 5.1, 5.5). */
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
type Action = RuleContext['action'];

/** What a chain carries, and how it knows who is at its other end. */
type Chain = Pick<RuleContext, 'protocol' | 'peer'>;

/** Who judges what a chain carries. */
export interface Judges {
  readonly policies: readonly AuthorizationPolicy[];
  /** Filters that verify the tokens of requests. */
  readonly tokens: readonly Extension[];
  /** Whom policies may have asked. */
  readonly providers: readonly ExtensionProvider[];
  /** What becomes of bytes that somebody would have to be asked about who takes requests only. */
  readonly unaskableBytes: 'denied' | 'passed';
}

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

/**
 * The filters of one chain, in the order in which they run: who is asked, tokens, then policies. Of bytes nobody is asked:
 * such policies deny.
 */
export function authorizationFilters(
  { policies, tokens, providers, unaskableBytes }: Judges,
  chain: Chain,
): Extension[] {
  const isHttp = chain.protocol === 'http';
  const external = policies.filter(({ spec }) => spec?.action === 'CUSTOM');
  const asked = askedProviders(external, isHttp ? providers : [], chain);
  const passing = isHttp || unaskableBytes === 'denied' ? [] : providers.filter(takesRequestsOnly);
  const unasked = external.filter((policy) => {
    const named = policy.spec?.provider?.name;
    return ![...asked, ...passing].some(({ name }) => name === named);
  });
  const judging = (['AUDIT', 'DENY', 'ALLOW'] as const).flatMap((action) => {
    const found = policies.filter(({ spec = {} }) => (spec.action ?? 'ALLOW') === action);
    return filtersOf(found, action, chain);
  });
  return [
    ...externalFilters(asked),
    ...filtersOf(unasked, 'CUSTOM', chain),
    ...(isHttp ? tokens : []),
    ...judging,
  ];
}

function takesRequestsOnly({ authorization }: ExtensionProvider): boolean {
  return authorization?.kind === 'http';
}

/** None without a policy. */
function filtersOf(
  policies: readonly AuthorizationPolicy[],
  action: Action,
  chain: Chain,
): Extension[] {
  if (policies.length === 0) return [];
  const init = filterInit(policies, action, chain);
  return [
    chain.protocol === 'http'
      ? extension('envoy.filters.http.rbac', HttpRbacSchema, init)
      : extension('envoy.filters.network.rbac', NetworkRbacSchema, { ...init, statPrefix: 'tcp.' }),
  ];
}

/** Those that policies name and that can be asked, by name. A dry run is nobody's to ask about. */
function askedProviders(
  policies: readonly AuthorizationPolicy[],
  providers: readonly ExtensionProvider[],
  { peer }: Chain,
): AskedProvider[] {
  return providers
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(({ name, authorization }) => {
      const own = policies.filter(
        (policy) => policy.spec?.provider?.name === name && !isDryRun(policy),
      );
      if (authorization === null || own.length === 0) return [];
      const rules = rulesOf(own, { action: 'CUSTOM', protocol: 'http', peer, ending: '' });
      return [{ name, provider: authorization, rules }];
    });
}

/** A dry run is evaluated as shadow rules, which decide nothing. */
function filterInit(
  policies: readonly AuthorizationPolicy[],
  action: Action,
  chain: Chain,
): FilterInit {
  const enforced = policies.filter((policy) => !isDryRun(policy));
  const shadow = policies.filter(isDryRun);
  const context = { ...chain, action, ending: action === 'CUSTOM' ? UNASKED : '' };
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

interface RulesContext extends Chain {
  readonly action: Action;
  /** Of the names of rules. */
  readonly ending: string;
}

function rulesOf(
  policies: readonly AuthorizationPolicy[],
  { action, protocol, peer, ending }: RulesContext,
): Rules {
  const converted = policies.flatMap((policy) =>
    (policy.spec?.rules ?? []).map((rule, index) => {
      const context = { namespace: namespaceOf(policy), protocol, peer, action };
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
