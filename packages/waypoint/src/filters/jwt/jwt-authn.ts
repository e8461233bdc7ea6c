import { getHeader } from '@aquifer/http';
import type {
  JwtAuthentication,
  JwtRequirement,
  RequirementRule,
} from '@aquifer/wire/gen/envoy/extensions/filters/http/jwt_authn/v3_pb';
import { ConfigProblem } from '../../compile/problem.ts';
import { compileMatch } from '../../compile/route-match.ts';
import type { InputMatch } from '../../compile/string-match.ts';
import type { FilteredRequest } from '../filtered-request.ts';
import { Provider } from './provider.ts';
import { MISSED, type TokenFailure, UNKNOWN_ISSUER } from './token.ts';

/** Whether the tokens of a request let it pass: null, or why they do not. */
type Requirement = (request: FilteredRequest) => Promise<TokenFailure | null>;

interface Rule {
  readonly matches: InputMatch;
  /** Null if nothing is asked for. */
  readonly requires: Requirement | null;
}

/** Verifies the tokens of requests (spec l7 6). */
export interface JwtFilter {
  readonly rules: readonly Rule[];
  readonly skipsPreflights: boolean;
}

export function compileJwt(config: JwtAuthentication, path: string): JwtFilter {
  const providers = new Map(
    Object.entries(config.providers).map(([name, provider]) => [
      name,
      new Provider(provider, `${path}.providers[${name}]`),
    ]),
  );
  return {
    rules: config.rules.map((rule, i) => compileRule(rule, providers, `${path}.rules[${i}]`)),
    skipsPreflights: config.bypassCorsPreflight,
  };
}

function compileRule(
  { match, requirementType }: RequirementRule,
  providers: ReadonlyMap<string, Provider>,
  path: string,
): Rule {
  const matches = compileMatch(match, `${path}.match`);
  const requires =
    requirementType.case === 'requires'
      ? requirement(requirementType.value, providers, `${path}.requires`)
      : null;
  return { matches, requires };
}

function requirement(
  { requiresType }: JwtRequirement,
  providers: ReadonlyMap<string, Provider>,
  path: string,
): Requirement {
  switch (requiresType.case) {
    case 'providerName': {
      const provider = providers.get(requiresType.value);
      if (provider === undefined) {
        throw new ConfigProblem(`${path}.provider_name`, `there is no ${requiresType.value}`);
      }
      return (request) => provider.verify(request);
    }
    case 'requiresAny': {
      const { requirements } = requiresType.value;
      // Beside others it is no requirement, but what they may fail with.
      const others = requirements.filter((one) => one.requiresType.case !== 'allowMissing');
      const inner = others.map((one, i) =>
        requirement(one, providers, `${path}.requires_any[${i}]`),
      );
      return anyOf(inner, others.length < requirements.length);
    }
    case 'requiresAll': {
      const inner = requiresType.value.requirements.map((one, i) =>
        requirement(one, providers, `${path}.requires_all[${i}]`),
      );
      return allOf(inner);
    }
    case 'allowMissing':
      return anyOf(
        [...providers.values()].map((one) => (request) => one.verify(request)),
        true,
      );
    default:
      throw new ConfigProblem(path, 'requires nothing that is known');
  }
}

/** What fails for a token that is there says more than that another is not. */
function anyOf(requirements: readonly Requirement[], allowsMissing: boolean): Requirement {
  return async (request) => {
    let failure = MISSED;
    for (const requires of requirements) {
      const result = await requires(request);
      if (result === null) return null;
      if (failure === MISSED || failure === UNKNOWN_ISSUER)
        failure = result === MISSED ? failure : result;
    }
    return allowsMissing && failure === MISSED ? null : failure;
  };
}

function allOf(requirements: readonly Requirement[]): Requirement {
  return async (request) => {
    for (const requires of requirements) {
      const failure = await requires(request);
      if (failure !== null) return failure;
    }
    return null;
  };
}

/** Of the path that a refusal names. */
const MAX_REALM_PATH_LENGTH = 256;

/** True if the request waits for it, or is refused: it goes on by `resume`. */
export function applyJwt(
  { rules, skipsPreflights }: JwtFilter,
  request: FilteredRequest,
  resume: () => void,
): boolean {
  if (skipsPreflights && isPreflight(request)) return false;
  const requires = rules.find(({ matches }) => matches(request))?.requires ?? null;
  if (requires === null) return false;
  // A token that is taken away is a part of what was asked for.
  const realm = `${request.scheme}://${request.authority}${request.target.slice(0, MAX_REALM_PATH_LENGTH)}`;
  request.waitForAnswer(requires(request), (failure) => {
    if (failure === null) resume();
    else refuse(request, failure, realm);
  });
  return true;
}

function isPreflight({ method, exchange }: FilteredRequest): boolean {
  const { headers } = exchange.head;
  return (
    method === 'OPTIONS' &&
    !!getHeader(headers, 'origin') &&
    !!getHeader(headers, 'access-control-request-method')
  );
}

function refuse(request: FilteredRequest, failure: TokenFailure, realm: string): void {
  const { status, text } = failure;
  const error = failure === MISSED ? '' : ', error="invalid_token"';
  const details = `jwt_authn_access_denied{${text.replaceAll(' ', '_')}}`;
  request.reply({ status, body: text, flag: '', details }, [
    'www-authenticate',
    `Bearer realm="${realm}"${error}`,
  ]);
}
