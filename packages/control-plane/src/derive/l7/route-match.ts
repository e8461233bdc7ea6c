/** Matches of routes: their precedence and their Envoy form (spec l7 4.3, 4.10; recordings l7/04, 06). */

import type { RouteMatchSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import type { Init } from './packed.ts';
import { isRegex } from './regex.ts';
import type { PathMatch, RouteMatch } from './route-rule.ts';

type EnvoyMatch = Init<typeof RouteMatchSchema>;

/** A regular expression ranks below every literal path, as in Istio. */
const PATH_RANK: Readonly<Record<PathMatch['type'], number>> = {
  Exact: 3,
  PathPrefix: 2,
  RegularExpression: 1,
};

/** Sorts the more specific match first; equal ones keep their order. */
export function bySpecificity(a: RouteMatch, b: RouteMatch): number {
  const ofA = specificity(a);
  const ofB = specificity(b);
  const decisive = ofA.findIndex((rank, index) => rank !== ofB[index]);
  return decisive < 0 ? 0 : (ofB[decisive] ?? 0) - (ofA[decisive] ?? 0);
}

function specificity({ path, method, headers, queryParams }: RouteMatch): readonly number[] {
  return [
    path === null ? 0 : PATH_RANK[path.type],
    path?.value.length ?? 0,
    method === null ? 0 : 1,
    headers.length,
    queryParams.length,
  ];
}

/** Whether it matches every request, so that nothing after it is ever reached. */
export function isCatchAll({ path, method, headers, queryParams }: RouteMatch): boolean {
  return isAnyPath(path) && method === null && headers.length === 0 && queryParams.length === 0;
}

function isAnyPath(path: PathMatch | null): boolean {
  if (path === null) return true;
  return path.type === 'PathPrefix'
    ? path.value === '/'
    : path.type !== 'Exact' && path.value === '.*';
}

/** Whether every pattern of the match can be read; one that cannot matches nothing. */
export function isReadable({ path, headers, queryParams }: RouteMatch): boolean {
  return [...(path === null ? [] : [path]), ...headers, ...queryParams].every(
    ({ type, value }) => type !== 'RegularExpression' || isRegex(value),
  );
}

export function envoyMatch({ path, method, headers, queryParams }: RouteMatch): EnvoyMatch {
  const names = headers.map(({ name }) => name.toLowerCase());
  const matchers = headers
    // Gateway API: of several entries for one header only the first counts.
    .filter(({ name }, index) => names.indexOf(name.toLowerCase()) === index)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type, value }) => ({
      name,
      headerMatchSpecifier: { case: 'stringMatch' as const, value: stringMatch(type, value) },
    }));
  if (method !== null) {
    const value = stringMatch('Exact', method);
    matchers.push({
      name: ':method',
      headerMatchSpecifier: { case: 'stringMatch' as const, value },
    });
  }
  return {
    pathSpecifier: pathSpecifier(path ?? ROOT),
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

const ROOT: PathMatch = { type: 'PathPrefix', value: '/' };

function pathSpecifier({ type, value }: PathMatch): NonNullable<EnvoyMatch['pathSpecifier']> {
  switch (type) {
    case 'Exact':
      return { case: 'path', value };
    case 'RegularExpression':
      return { case: 'safeRegex', value: { regex: value } };
    case 'PathPrefix':
      return value === '/' ? { case: 'prefix', value } : { case: 'pathSeparatedPrefix', value };
  }
}
