/** Matches of routes of the Gateway API: their precedence, and what they ask for (spec l7 4.3, 4.10; recordings l7/04, 06). */
import type { GatewayMatch, GatewayPath } from './gateway-route.ts';
import { isRegex } from './regex.ts';
import type { HeaderMatch, PathMatch, RouteMatch, TextMatch } from './route-rule.ts';

/** A regular expression ranks below every literal path, as in Istio. */
const PATH_RANK: Readonly<Record<GatewayPath['type'], number>> = {
  Exact: 3,
  PathPrefix: 2,
  RegularExpression: 1,
};

/** Sorts the more specific match first; equal ones keep their order. */
export function bySpecificity(a: GatewayMatch, b: GatewayMatch): number {
  const ofA = specificity(a);
  const ofB = specificity(b);
  const decisive = ofA.findIndex((rank, index) => rank !== ofB[index]);
  return decisive < 0 ? 0 : (ofB[decisive] ?? 0) - (ofA[decisive] ?? 0);
}

function specificity({ path, method, headers, queryParams }: GatewayMatch): readonly number[] {
  return [
    path === null ? 0 : PATH_RANK[path.type],
    path?.value.length ?? 0,
    method === null ? 0 : 1,
    headers.length,
    queryParams.length,
  ];
}

/** Whether every pattern of the match can be read; one that cannot matches nothing. */
export function isReadable({ path, headers, queryParams }: GatewayMatch): boolean {
  return [...(path === null ? [] : [path]), ...headers, ...queryParams].every(
    ({ type, value }) => type !== 'RegularExpression' || isRegex(value),
  );
}

export function routeMatch({ path, method, headers, queryParams }: GatewayMatch): RouteMatch {
  const names = headers.map(({ name }) => name.toLowerCase());
  const asked = headers
    // Gateway API: of several entries for one header only the first counts.
    .filter(({ name }, index) => names.indexOf(name.toLowerCase()) === index)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type, value }): HeaderMatch => {
      return { name, match: textMatch(type, value), sense: 'has' };
    });
  const ofMethod: readonly HeaderMatch[] =
    method === null ? [] : [{ name: ':method', match: textMatch('Exact', method), sense: 'has' }];
  return {
    path: pathMatch(path),
    pathCase: 'sensitive',
    headers: [...asked, ...ofMethod],
    queryParams: queryParams.map(({ name, type, value }) => {
      return { name, match: textMatch(type, value) };
    }),
  };
}

function textMatch(type: 'Exact' | 'RegularExpression' | undefined, value: string): TextMatch {
  return { kind: type === 'RegularExpression' ? 'regex' : 'exact', value };
}

const PATH_KINDS: Readonly<Record<GatewayPath['type'], PathMatch['kind']>> = {
  Exact: 'exact',
  PathPrefix: 'segments',
  RegularExpression: 'regex',
};

function pathMatch(path: GatewayPath | null): PathMatch {
  if (path === null) return { kind: 'segments', value: '/' };
  return { kind: PATH_KINDS[path.type], value: path.value };
}
