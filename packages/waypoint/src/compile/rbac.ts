import { type Cidr, cidrContains } from '@aquifer/model';
import type { CidrRange } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  RBAC_Action as Action,
  type Permission,
  type Policy,
  type Principal,
  type RBAC,
} from '@aquifer/wire/gen/envoy/config/rbac/v3_pb';
import type { StringMatcher } from '@aquifer/wire/gen/envoy/type/matcher/v3_pb';
import { ConfigProblem } from './problem.ts';
import { compileHeaderMatch, compileStringMatch, type MatchInput } from './string-match.ts';
import { compileUriTemplate } from './uri-template.ts';

/** A request as policies see it. */
export interface AuthorizationInput extends MatchInput {
  /** SPIFFE URI of the original client; empty for plaintext. */
  readonly peerPrincipal: string;
  readonly sourceIp: string;
  readonly destinationIp: string;
  readonly destinationPort: number;
}

type Test = (input: AuthorizationInput) => boolean;

/** Null if the request may pass, else the name of the policy that refuses it (`none`: no ALLOW matched). */
export type AuthorizationFilter = (input: AuthorizationInput) => string | null;

const PEER_PRINCIPAL = 'io.istio.peer_principal';

/** Spec l7 5.1; LOG rules never decide. */
export function compileAuthorization(rules: RBAC, path: string): AuthorizationFilter {
  const policies = Object.entries(rules.policies).map(([name, policy]) => ({
    name,
    matches: compilePolicy(policy, `${path}.policies[${name}]`),
  }));
  switch (rules.action) {
    case Action.ALLOW:
      return (input) => (policies.some(({ matches }) => matches(input)) ? null : 'none');
    case Action.DENY:
      return (input) => policies.find(({ matches }) => matches(input))?.name ?? null;
    case Action.LOG:
      return () => null;
    default:
      throw new ConfigProblem(`${path}.action`, `${rules.action} is unknown`);
  }
}

function compilePolicy(policy: Policy, path: string): Test {
  const permissions = policy.permissions.map((rule, i) =>
    permission(rule, `${path}.permissions[${i}]`),
  );
  const principals = policy.principals.map((id, i) => principal(id, `${path}.principals[${i}]`));
  return all([any(permissions), any(principals)]);
}

function permission({ rule }: Permission, path: string): Test {
  switch (rule.case) {
    case 'any':
      return constant(rule.value);
    case 'andRules':
      return all(rule.value.rules.map((inner, i) => permission(inner, `${path}.and_rules[${i}]`)));
    case 'orRules':
      return any(rule.value.rules.map((inner, i) => permission(inner, `${path}.or_rules[${i}]`)));
    case 'notRule':
      return not(permission(rule.value, `${path}.not_rule`));
    default:
      return permissionLeaf(rule, path);
  }
}

function permissionLeaf(rule: Permission['rule'], path: string): Test {
  switch (rule.case) {
    case 'header':
      return compileHeaderMatch(rule.value, `${path}.header`);
    case 'destinationPort': {
      const port = rule.value;
      return (input) => input.destinationPort === port;
    }
    case 'destinationIp': {
      const range = readRange(rule.value);
      return (input) => cidrContains(range, input.destinationIp);
    }
    case 'requestedServerName': {
      // There is no server name inside a tunnel.
      const matches = compileStringMatch(rule.value, `${path}.requested_server_name`);
      return () => matches('');
    }
    case 'urlPath': {
      const matches = compileStringMatch(rule.value.rule.value, `${path}.url_path`);
      return (input) => matches(input.path);
    }
    case 'uriTemplate': {
      const matches = compileUriTemplate(rule.value.typedConfig, `${path}.uri_template`);
      return (input) => matches(input.path);
    }
    default:
      throw new ConfigProblem(path, `permission ${rule.case ?? ''} is not supported`);
  }
}

function principal({ identifier }: Principal, path: string): Test {
  switch (identifier.case) {
    case 'any':
      return constant(identifier.value);
    case 'andIds':
      return all(identifier.value.ids.map((inner, i) => principal(inner, `${path}.and_ids[${i}]`)));
    case 'orIds':
      return any(identifier.value.ids.map((inner, i) => principal(inner, `${path}.or_ids[${i}]`)));
    case 'notId':
      return not(principal(identifier.value, `${path}.not_id`));
    default:
      return principalLeaf(identifier, path);
  }
}

function principalLeaf(identifier: Principal['identifier'], path: string): Test {
  switch (identifier.case) {
    case 'header':
      return compileHeaderMatch(identifier.value, `${path}.header`);
    case 'filterState': {
      const { key, matcher } = identifier.value;
      if (key !== PEER_PRINCIPAL) {
        throw new ConfigProblem(path, `filter state ${key} is not supported`);
      }
      return peerMatch(matcher.value, `${path}.filter_state`);
    }
    case 'authenticated':
      return peerMatch(identifier.value.principalName, `${path}.authenticated`);
    case 'directRemoteIp':
    case 'remoteIp': {
      const range = readRange(identifier.value);
      return (input) => cidrContains(range, input.sourceIp);
    }
    default:
      throw new ConfigProblem(path, `principal ${identifier.case ?? ''} is not supported`);
  }
}

/** Plaintext never matches; without a matcher any proven identity does. */
function peerMatch(matcher: StringMatcher | undefined, path: string): Test {
  if (matcher === undefined) return (input) => input.peerPrincipal !== '';
  const matches = compileStringMatch(matcher, path);
  return (input) => input.peerPrincipal !== '' && matches(input.peerPrincipal);
}

function readRange(range: CidrRange): Cidr {
  return { address: range.addressPrefix, prefixLength: range.prefixLen ?? 0 };
}

function constant(value: boolean): Test {
  return () => value;
}

function not(test: Test): Test {
  return (input) => !test(input);
}

function all(tests: readonly Test[]): Test {
  if (tests.length === 1) return tests[0]!;
  return (input) => tests.every((test) => test(input));
}

function any(tests: readonly Test[]): Test {
  if (tests.length === 1) return tests[0]!;
  return (input) => tests.some((test) => test(input));
}
