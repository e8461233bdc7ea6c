/** Matches of rules in Envoy's terms. */
import type {
  HeaderMatcherSchema,
  QueryParameterMatcherSchema,
  RouteMatchSchema,
} from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import type { StringMatcherSchema } from '@aquifer/wire/gen/envoy/type/matcher/v3_pb';
import type {
  HeaderMatch,
  PathMatch,
  QueryMatch,
  RouteMatch,
  TextMatch,
} from '../routing/route-rule.ts';
import type { Init } from './packed.ts';

type EnvoyMatch = Init<typeof RouteMatchSchema>;

/** As upstream, only a match that somebody wrote says that case matters. */
export function envoyMatch(match: RouteMatch | null): EnvoyMatch {
  if (match === null) return { pathSpecifier: { case: 'prefix', value: '/' } };
  const { path, pathCase, headers, queryParams } = match;
  return {
    pathSpecifier: pathSpecifier(path),
    caseSensitive: pathCase === 'sensitive',
    headers: headers.map(headerMatcher),
    queryParameters: queryParams.map(queryMatcher),
  };
}

function pathSpecifier({ kind, value }: PathMatch): NonNullable<EnvoyMatch['pathSpecifier']> {
  switch (kind) {
    case 'exact':
      return { case: 'path', value };
    case 'prefix':
      return { case: 'prefix', value };
    case 'segments':
      return value === '/' ? { case: 'prefix', value } : { case: 'pathSeparatedPrefix', value };
    case 'regex':
      return { case: 'safeRegex', value: { regex: value } };
  }
}

function headerMatcher({ name, match, sense }: HeaderMatch): Init<typeof HeaderMatcherSchema> {
  const inverted = sense === 'lacks' && { invertMatch: true };
  if (match.kind === 'present') {
    return { name, headerMatchSpecifier: { case: 'presentMatch', value: true }, ...inverted };
  }
  return {
    name,
    headerMatchSpecifier: { case: 'stringMatch', value: stringMatcher(match) },
    ...(inverted && { ...inverted, treatMissingHeaderAsEmpty: true }),
  };
}

function queryMatcher({ name, match }: QueryMatch): Init<typeof QueryParameterMatcherSchema> {
  const queryParameterMatchSpecifier =
    match.kind === 'present'
      ? ({ case: 'presentMatch', value: true } as const)
      : ({ case: 'stringMatch', value: stringMatcher(match) } as const);
  return { name, queryParameterMatchSpecifier };
}

export function stringMatcher({ kind, value }: TextMatch): Init<typeof StringMatcherSchema> {
  if (kind === 'regex') return { matchPattern: { case: 'safeRegex', value: { regex: value } } };
  return { matchPattern: { case: kind, value } };
}
