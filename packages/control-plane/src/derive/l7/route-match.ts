/** HTTPRoute matches: their precedence and their Envoy form (spec l7 4.3, recording l7/04). */

import type { HTTPRouteMatch } from '@aquifer/model/resources';
import type { RouteMatchSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import type { Init } from './packed.ts';
import { isRegex } from './regex.ts';

type RouteMatch = Init<typeof RouteMatchSchema>;
type PathType = NonNullable<NonNullable<HTTPRouteMatch['path']>['type']>;

/** A match with its defaults filled in; a trailing slash of a prefix means nothing and is gone. */
interface CompletePath {
  readonly type: PathType;
  readonly value: string;
}

/** A regular expression ranks below every literal path, as in Istio. */
const PATH_RANK: Readonly<Record<PathType, number>> = {
  Exact: 3,
  PathPrefix: 2,
  RegularExpression: 1,
};

export function pathOf({ path }: HTTPRouteMatch): CompletePath {
  const { type = 'PathPrefix', value = '/' } = path ?? {};
  if (type !== 'PathPrefix' || !value.endsWith('/')) return { type, value };
  return { type, value: value.replace(/\/+$/, '') || '/' };
}

/** Sorts the more specific match first; equal ones keep their order. */
export function bySpecificity(a: HTTPRouteMatch, b: HTTPRouteMatch): number {
  const ofA = specificity(a);
  const ofB = specificity(b);
  const decisive = ofA.findIndex((rank, index) => rank !== ofB[index]);
  return decisive < 0 ? 0 : (ofB[decisive] ?? 0) - (ofA[decisive] ?? 0);
}

function specificity(match: HTTPRouteMatch): readonly number[] {
  const { type, value } = pathOf(match);
  const { method, headers = [], queryParams = [] } = match;
  return [
    PATH_RANK[type],
    value.length,
    method === undefined ? 0 : 1,
    headers.length,
    queryParams.length,
  ];
}

/** Whether it matches every request, so that nothing after it is ever reached. */
export function isCatchAll(match: HTTPRouteMatch): boolean {
  const { type, value } = pathOf(match);
  const anyPath = type === 'PathPrefix' ? value === '/' : type !== 'Exact' && value === '.*';
  const { method, headers = [], queryParams = [] } = match;
  return anyPath && method === undefined && headers.length === 0 && queryParams.length === 0;
}

/** Whether every pattern of the match can be read; one that cannot matches nothing. */
export function isReadable(match: HTTPRouteMatch): boolean {
  const { headers = [], queryParams = [] } = match;
  return [pathOf(match), ...headers, ...queryParams].every(
    ({ type, value }) => type !== 'RegularExpression' || isRegex(value),
  );
}

export function envoyMatch(match: HTTPRouteMatch): RouteMatch {
  const { method, headers = [], queryParams = [] } = match;
  const names = headers.map(({ name }) => name.toLowerCase());
  const matchers = headers
    // Gateway API: of several entries for one header only the first counts.
    .filter(({ name }, index) => names.indexOf(name.toLowerCase()) === index)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type, value }) => ({
      name,
      headerMatchSpecifier: { case: 'stringMatch' as const, value: stringMatch(type, value) },
    }));
  if (method !== undefined) {
    const value = stringMatch('Exact', method);
    matchers.push({
      name: ':method',
      headerMatchSpecifier: { case: 'stringMatch' as const, value },
    });
  }
  return {
    pathSpecifier: pathSpecifier(pathOf(match)),
    caseSensitive: true,
    headers: matchers,
    queryParameters: queryParams.map(({ name, type, value }) => ({
      name,
      queryParameterMatchSpecifier: { case: 'stringMatch', value: stringMatch(type, value) },
    })),
  };
}

function stringMatch(type: 'Exact' | 'RegularExpression' | undefined, value: string) {
  return type === 'RegularExpression'
    ? { matchPattern: { case: 'safeRegex' as const, value: { regex: value } } }
    : { matchPattern: { case: 'exact' as const, value } };
}

function pathSpecifier({ type, value }: CompletePath): NonNullable<RouteMatch['pathSpecifier']> {
  switch (type) {
    case 'Exact':
      return { case: 'path', value };
    case 'RegularExpression':
      return { case: 'safeRegex', value: { regex: value } };
    case 'PathPrefix':
      return value === '/' ? { case: 'prefix', value } : { case: 'pathSeparatedPrefix', value };
  }
}
