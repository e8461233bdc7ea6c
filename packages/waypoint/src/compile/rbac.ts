import { AddressRange, type Cidr } from '@aquifer/model';
import type { CidrRange } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  RBAC_Action as Action,
  type Permission,
  type Policy,
  type Principal,
  type RBAC,
} from '@aquifer/wire/gen/envoy/config/rbac/v3_pb';
import type { StringMatcher } from '@aquifer/wire/gen/envoy/type/matcher/v3_pb';
import { compileMetadataMatch, type Verified } from './metadata-match.ts';
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
  /** What its tokens say; null if none was verified, and of bytes. */
  readonly verified: Verified | null;
}

type Test = (input: AuthorizationInput) => boolean;

/** Null if the request may pass, else the name of the policy that refuses it (`none`: no ALLOW matched). */
export type AuthorizationFilter = (input: AuthorizationInput) => string | null;

const PEER_PRINCIPAL = 'io.istio.peer_principal';

/**
 * What a filter can see: a request, or the bytes of a connection. Of bytes, no method, path or header is known, and what
 * asks for them fails closed: it denies in a DENY policy, and does not allow in an ALLOW policy.
 */
export type AuthorizationView = 'request' | 'bytes';

/** Where a rule stands, and what an attribute that cannot be seen counts as there; null where all can be seen. */
interface Place {
  readonly path: string;
  readonly unseen: boolean | null;
}

/** Spec l7 5.1; LOG rules never decide. */
export function compileAuthorization(
  rules: RBAC,
  path: string,
  view: AuthorizationView = 'request',
): AuthorizationFilter {
  const unseen = view === 'request' ? null : rules.action === Action.DENY;
  const policies = Object.entries(rules.policies).map(([name, policy]) => ({
    name,
    matches: compilePolicy(policy, { path: `${path}.policies[${name}]`, unseen }),
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

function compilePolicy(policy: Policy, place: Place): Test {
  const permissions = policy.permissions.map((rule, i) =>
    permission(rule, within(place, `permissions[${i}]`)),
  );
  const principals = policy.principals.map((id, i) =>
    principal(id, within(place, `principals[${i}]`)),
  );
  return all([any(permissions), any(principals)]);
}

function within({ path, unseen }: Place, field: string): Place {
  return { path: `${path}.${field}`, unseen };
}

/** What counts as true outside a negation counts as false inside. */
function negated({ path, unseen }: Place, field: string): Place {
  return { path: `${path}.${field}`, unseen: unseen === null ? null : !unseen };
}

function permission({ rule }: Permission, place: Place): Test {
  switch (rule.case) {
    case 'any':
      return constant(rule.value);
    case 'andRules':
      return all(
        rule.value.rules.map((inner, i) => permission(inner, within(place, `and_rules[${i}]`))),
      );
    case 'orRules':
      return any(
        rule.value.rules.map((inner, i) => permission(inner, within(place, `or_rules[${i}]`))),
      );
    case 'notRule':
      return not(permission(rule.value, negated(place, 'not_rule')));
    case 'header':
    case 'urlPath':
    case 'uriTemplate':
      return place.unseen === null ? requestPermission(rule, place.path) : constant(place.unseen);
    default:
      return connectionPermission(rule, place.path);
  }
}

function requestPermission(
  rule: Extract<Permission['rule'], { case: 'header' | 'urlPath' | 'uriTemplate' }>,
  path: string,
): Test {
  switch (rule.case) {
    case 'header':
      return compileHeaderMatch(rule.value, `${path}.header`);
    case 'urlPath': {
      const matches = compileStringMatch(rule.value.rule.value, `${path}.url_path`);
      return (input) => matches(input.path);
    }
    case 'uriTemplate': {
      const matches = compileUriTemplate(rule.value.typedConfig, `${path}.uri_template`);
      return (input) => matches(input.path);
    }
  }
}

function connectionPermission(rule: Permission['rule'], path: string): Test {
  switch (rule.case) {
    case 'destinationPort': {
      const port = rule.value;
      return (input) => input.destinationPort === port;
    }
    case 'destinationIp': {
      const range = new AddressRange(readRange(rule.value));
      return (input) => range.includes(input.destinationIp);
    }
    case 'requestedServerName': {
      // There is no server name inside a tunnel.
      const matches = compileStringMatch(rule.value, `${path}.requested_server_name`);
      return () => matches('');
    }
    default:
      throw new ConfigProblem(path, `permission ${rule.case ?? ''} is not supported`);
  }
}

function principal({ identifier }: Principal, place: Place): Test {
  switch (identifier.case) {
    case 'any':
      return constant(identifier.value);
    case 'andIds':
      return all(
        identifier.value.ids.map((inner, i) => principal(inner, within(place, `and_ids[${i}]`))),
      );
    case 'orIds':
      return any(
        identifier.value.ids.map((inner, i) => principal(inner, within(place, `or_ids[${i}]`))),
      );
    case 'notId':
      return not(principal(identifier.value, negated(place, 'not_id')));
    case 'header':
      return place.unseen === null
        ? compileHeaderMatch(identifier.value, `${place.path}.header`)
        : constant(place.unseen);
    case 'metadata': {
      if (place.unseen !== null) return constant(place.unseen);
      const matches = compileMetadataMatch(identifier.value, `${place.path}.metadata`);
      return ({ verified }) => matches(verified);
    }
    default:
      return connectionPrincipal(identifier, place.path);
  }
}

function connectionPrincipal(identifier: Principal['identifier'], path: string): Test {
  switch (identifier.case) {
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
      const range = new AddressRange(readRange(identifier.value));
      return (input) => range.includes(input.sourceIp);
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
