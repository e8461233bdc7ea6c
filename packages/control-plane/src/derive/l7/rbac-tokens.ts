/** What AuthorizationPolicies ask of tokens, as Envoy principals (spec l7 5.2; recording l7/24). */
import type { ValueMatcherSchema } from '@aquifer/wire/gen/envoy/type/matcher/v3_pb';
import type { Init } from './packed.ts';
import { type PrincipalInit, stringMatch } from './rbac-values.ts';

type ValueInit = Init<typeof ValueMatcherSchema>;

/** Values of which one must be, as a principal. */
export type TokenCondition = (values: readonly string[]) => PrincipalInit;

/** `<issuer>/<subject>`, split at its last slash; `*` is whoever has a valid token. */
export const requestPrincipal: TokenCondition = (values) => {
  const ids = values.map((value) => {
    const [issuer, subject] = issuerAndSubject(value);
    return both(claim(['iss'], text(issuer)), claim(['sub'], text(subject)));
  });
  return ids.length === 1 ? ids[0]! : { identifier: { case: 'orIds', value: { ids } } };
};

/** Null for keys that mean nothing. */
export function tokenAttribute(key: string): TokenCondition | null {
  switch (key) {
    case 'request.auth.principal':
      return requestPrincipal;
    case 'request.auth.audiences':
      return ofClaim(['aud']);
    case 'request.auth.presenter':
      return ofClaim(['azp']);
    default: {
      const [, names] = /^request\.auth\.claims((?:\[[^[\]]+\])+)$/.exec(key) ?? [];
      return names === undefined ? null : ofClaim(names.slice(1, -1).split(']['));
    }
  }
}

function issuerAndSubject(value: string): readonly [issuer: string, subject: string] {
  const slash = value.lastIndexOf('/');
  if (slash >= 0) return [value.slice(0, slash), value.slice(slash + 1)];
  if (value.startsWith('*')) return ['*', value];
  return value.endsWith('*') ? [value, '*'] : [value, ''];
}

/** A text, or a list of texts one of which is. */
function ofClaim(path: readonly string[]): TokenCondition {
  return (values) => {
    const matchers = values.map((value) => text(value));
    const one = matchers.length === 1 ? matchers[0]! : either(matchers);
    const listed: ValueInit = {
      matchPattern: {
        case: 'listMatch',
        value: { matchPattern: { case: 'oneOf', value: one } },
      },
    };
    return claim(path, either([listed, one]));
  };
}

function text(value: string): ValueInit {
  return { matchPattern: { case: 'stringMatch', value: stringMatch(value) } };
}

function either(valueMatchers: ValueInit[]): ValueInit {
  return { matchPattern: { case: 'orMatch', value: { valueMatchers } } };
}

/** Of a token that was verified, where the filter puts what it says. */
function claim(path: readonly string[], value: ValueInit): PrincipalInit {
  const keys = ['payload', ...path].map((key) => ({
    segment: { case: 'key' as const, value: key },
  }));
  const matcher = { filter: 'envoy.filters.http.jwt_authn', path: keys, value };
  return { identifier: { case: 'metadata', value: matcher } };
}

function both(...ids: PrincipalInit[]): PrincipalInit {
  return { identifier: { case: 'andIds', value: { ids } } };
}
