/** Match blocks of VirtualServices (spec l7 1.3, recording l7/08). */
import type { VirtualServiceHttpRoute } from '@aquifer/model/resources';
import { isRegex, regexProblem } from './regex.ts';
import type { HeaderMatch, PathMatch, RouteMatch, TextMatch, ValueMatch } from './route-rule.ts';

export type HttpMatch = NonNullable<VirtualServiceHttpRoute['match']>[number];
export type StringMatch = NonNullable<HttpMatch['uri']>;

/** Whom rules are made for: what blocks say of the client, and of where it asks. */
export interface RuleAudience {
  /** The port that requests come to. */
  readonly port: number;
  /** `mesh`, or the `namespace/name` of gateways. */
  readonly gateways: readonly string[];
  readonly namespace: string;
  /** Null where the labels of clients are not known: a block that asks for some is left out. */
  readonly labels: Readonly<Record<string, string>> | null;
}

/** The only gateway of proxies in the mesh. */
export const MESH_GATEWAY = 'mesh';

/** `namespace/name` of a gateway as a VirtualService names it. */
export function gatewayName(text: string, namespace: string): string {
  if (text === MESH_GATEWAY) return text;
  const [first = '', second] = text.split('/');
  if (second !== undefined) return `${first === '.' ? namespace : first}/${second}`;
  // The older form: `gateway.namespace.svc.cluster.local`.
  const [name, itsNamespace] = text.split('.');
  return `${itsNamespace ?? namespace}/${name}`;
}

/** Whether the block can hold for anybody of the audience; as upstream, one that names gateways asks nothing of clients. */
export function isFor(
  { port, gateways = [], sourceLabels = {}, sourceNamespace = '' }: HttpMatch,
  audience: RuleAudience,
  namespace: string,
): boolean {
  const asked = Object.entries(sourceLabels);
  if (audience.labels === null && asked.length > 0) return false;
  if (port !== undefined && port !== 0 && port !== audience.port) return false;
  if (gateways.length > 0) {
    return gateways.some((name) => audience.gateways.includes(gatewayName(name, namespace)));
  }
  return (
    asked.every(([key, value]) => audience.labels?.[key] === value) &&
    (sourceNamespace === '' || sourceNamespace === audience.namespace)
  );
}

/** Headers by which claims of a token are asked for. */
const CLAIMS = '@request.auth.claims';

/** These have fields of their own. */
const NOT_HEADERS: readonly string[] = ['uri', 'scheme', 'method', 'authority'];

/** Why the block takes no request at all; null if it may. */
export function matchProblem(match: HttpMatch): string | null {
  const named = [
    ...Object.entries(match.headers ?? {}),
    ...Object.entries(match.withoutHeaders ?? {}),
  ];
  const claim = named.find(([name]) => name.startsWith(CLAIMS));
  if (claim !== undefined) return `header "${claim[0]}" asks for a claim, which is not supported`;
  const { uri, scheme, method, authority, queryParams = {} } = match;
  const all = [uri, scheme, method, authority, ...named.map(([, value]) => value)];
  const unread = [...all, ...Object.values(queryParams)]
    .map((value) => value?.regex ?? '*')
    .find((regex) => regex !== '*' && !isRegex(regex));
  return unread === undefined ? null : regexProblem(unread);
}

export function routeMatch(match: HttpMatch): RouteMatch {
  const { uri, method, authority, scheme, queryParams = {} } = match;
  const headers = [
    ...headerMatches(match.headers, 'has'),
    ...headerMatches(match.withoutHeaders, 'lacks'),
  ].toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const pseudo = { ':method': method, ':authority': authority, ':scheme': scheme };
  return {
    path: pathMatch(uri),
    pathCase: match.ignoreUriCase === true ? 'insensitive' : 'sensitive',
    headers: [
      ...headers,
      ...Object.entries(pseudo).flatMap(([name, value]): HeaderMatch[] =>
        value === undefined ? [] : [{ name, match: valueMatch(value), sense: 'has' }],
      ),
    ],
    queryParams: Object.entries(queryParams)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => ({ name, match: valueMatch(value) })),
  };
}

function headerMatches(
  headers: HttpMatch['headers'] = {},
  sense: HeaderMatch['sense'],
): HeaderMatch[] {
  return Object.entries(headers)
    .filter(([name]) => !NOT_HEADERS.includes(name))
    .map(([name, value]) => ({ name, match: valueMatch(value), sense }));
}

/** An empty one, and the regular expression `*`, ask that there is a value. */
function valueMatch(match: StringMatch): ValueMatch {
  if (match.regex === '*') return { kind: 'present' };
  return textMatch(match) ?? { kind: 'present' };
}

/** Null for an empty one. */
export function textMatch({ exact, prefix, regex }: StringMatch): TextMatch | null {
  if (exact !== undefined) return { kind: 'exact', value: exact };
  if (prefix !== undefined) return { kind: 'prefix', value: prefix };
  return regex === undefined ? null : { kind: 'regex', value: regex };
}

function pathMatch(uri: StringMatch = {}): PathMatch {
  return textMatch(uri) ?? { kind: 'prefix', value: '/' };
}
