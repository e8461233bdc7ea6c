/** RequestAuthentications as the filter that verifies tokens (spec l7 6; recording l7/24). */
import type { RequestAuthentication } from '@aquifer/model/resources';
import {
  JwtAuthenticationSchema,
  type JwtProviderSchema,
  type JwtRequirementSchema,
} from '@aquifer/wire/gen/envoy/extensions/filters/http/jwt_authn/v3_pb';
import type { Collection } from '../../collections/collection.ts';
import type { Graph } from '../../collections/graph.ts';
import type { ClusterInputs } from '../../ingest/cluster-inputs.ts';
import { usableKeySet } from './key-set.ts';
import { type Extension, extension, type Init } from './packed.ts';

type JwtRule = NonNullable<NonNullable<RequestAuthentication['spec']>['jwtRules']>[number];
type Requirement = Init<typeof JwtRequirementSchema>;

/** What was fetched from an address; undefined if nothing was yet. */
export type FindKeySet = (address: string) => string | undefined;

/** None where no tokens are verified. */
export function tokenFilters(
  authentications: readonly RequestAuthentication[],
  findKeySet: FindKeySet,
): Extension[] {
  const rules = authentications
    .flatMap(({ spec }) => spec?.jwtRules ?? [])
    .toSorted((a, b) => (issuerOf(a) < issuerOf(b) ? -1 : Number(issuerOf(a) > issuerOf(b))));
  if (rules.length === 0) return [];
  const providers = rules.map((rule, i) => [`origins-${i}`, provider(rule, findKeySet)] as const);
  const requires = requirement(providers.map(([name]) => name));
  const match = { pathSpecifier: { case: 'prefix' as const, value: '/' } };
  return [
    extension('envoy.filters.http.jwt_authn', JwtAuthenticationSchema, {
      providers: Object.fromEntries(providers),
      rules: [{ match, requirementType: { case: 'requires', value: requires } }],
      bypassCorsPreflight: true,
    }),
  ];
}

/** What is to be fetched. */
export function keySetAddresses(graph: Graph, cluster: ClusterInputs): Collection<string> {
  return graph.flatMap(
    'addresses of key sets',
    cluster.of('RequestAuthentication'),
    ({ spec }, _context, key) =>
      (spec?.jwtRules ?? []).flatMap((rule, i) => {
        const address = keySetAddress(rule);
        return address === null ? [] : [[`${key}/${i}`, address] as const];
      }),
  );
}

/** Where the keys of a rule are to be had; null if it brings them. */
function keySetAddress(rule: JwtRule): string | null {
  const { jwks = '', jwksUri = '', jwks_uri: formerUri = '' } = rule;
  if (jwks !== '') return null;
  const address = jwksUri || formerUri;
  return address || `${issuerOf(rule).replace(/\/$/, '')}/.well-known/openid-configuration`;
}

function issuerOf({ issuer = '' }: JwtRule): string {
  return issuer;
}

/** Claims whose text is a list. */
const LISTS = ['permission', 'scope'];

function provider(rule: JwtRule, findKeySet: FindKeySet): Init<typeof JwtProviderSchema> {
  const { audiences = [], fromHeaders = [], fromParams = [], fromCookies = [] } = rule;
  const { outputClaimToHeaders = [], spaceDelimitedClaims = [], jwks = '' } = rule;
  const address = keySetAddress(rule);
  const keys = usableKeySet(address === null ? jwks : (findKeySet(address) ?? ''));
  return {
    issuer: issuerOf(rule),
    audiences: [...audiences],
    jwksSourceSpecifier: {
      case: 'localJwks',
      value: { specifier: { case: 'inlineString', value: keys } },
    },
    forward: rule.forwardOriginalToken ?? false,
    fromHeaders: fromHeaders.map(({ name, prefix = '' }) => ({ name, valuePrefix: prefix })),
    fromParams: [...fromParams],
    fromCookies: [...fromCookies],
    forwardPayloadHeader: rule.outputPayloadToHeader ?? '',
    payloadInMetadata: 'payload',
    claimToHeaders: outputClaimToHeaders.map(({ header, claim }) => ({
      headerName: header,
      claimName: claim,
    })),
    normalizePayloadInMetadata: {
      spaceDelimitedClaims: [...new Set([...LISTS, ...spaceDelimitedClaims])].toSorted(),
    },
  };
}

/** A request passes without a token, and with one that is valid; as recorded, a bad one of another issuer then is no matter. */
function requirement(names: readonly string[]): Requirement {
  const optional = names.map((name) => anyOf([ofProvider(name), MISSING]));
  if (optional.length === 1) return optional[0]!;
  const all: Requirement = {
    requiresType: { case: 'requiresAll', value: { requirements: optional } },
  };
  return anyOf([...names.map(ofProvider), all]);
}

const MISSING: Requirement = { requiresType: { case: 'allowMissing', value: {} } };

function ofProvider(name: string): Requirement {
  return { requiresType: { case: 'providerName', value: name } };
}

function anyOf(requirements: Requirement[]): Requirement {
  return { requiresType: { case: 'requiresAny', value: { requirements } } };
}
