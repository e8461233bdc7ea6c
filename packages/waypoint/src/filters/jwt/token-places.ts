import { type HeaderList, joinHeader, removeHeader } from '@aquifer/http';
import type { JwtProvider } from '@aquifer/wire/gen/envoy/extensions/filters/http/jwt_authn/v3_pb';
import type { FilteredRequest } from '../filtered-request.ts';

/** A token that a request presents, and how it is taken away from those behind. */
export interface PresentedToken {
  readonly text: string;
  /** A cookie stays, as with Envoy. */
  takeAway(): void;
}

/** Where a provider looks for tokens. */
export interface TokenPlaces {
  /** All that are there: headers first, then query parameters, then cookies. */
  find(request: FilteredRequest): readonly PresentedToken[];
}

type Place = (request: FilteredRequest) => PresentedToken | null;

/** Where nothing is said: as RFC 6750 has it. */
const DEFAULT_HEADERS = [{ name: 'authorization', valuePrefix: 'Bearer ' }];
const DEFAULT_PARAMETERS = ['access_token'];

export function compilePlaces(provider: JwtProvider): TokenPlaces {
  const { fromHeaders, fromParams, fromCookies } = provider;
  const isDefault = fromHeaders.length + fromParams.length + fromCookies.length === 0;
  const headers = isDefault ? DEFAULT_HEADERS : fromHeaders;
  const parameters = isDefault ? DEFAULT_PARAMETERS : fromParams;
  const places: readonly Place[] = [
    ...headers.map(({ name, valuePrefix }) => inHeader(name.toLowerCase(), valuePrefix)),
    ...parameters.map(inParameter),
    ...fromCookies.map(inCookie),
  ];
  return {
    find: (request) => places.map((place) => place(request)).filter((found) => found !== null),
  };
}

function inHeader(name: string, prefix: string): Place {
  return ({ exchange }) => {
    const { headers } = exchange.head;
    const value = joinHeader(headers, name);
    if (value === null) return null;
    const at = value.indexOf(prefix);
    if (at < 0) return null;
    const text = prefix === '' ? value : tokenBehind(value, at + prefix.length);
    return { text, takeAway: () => removeHeader(headers, name) };
  };
}

/** From the first character that a token may have, whatever comes behind it. */
function tokenBehind(value: string, from: number): string {
  const rest = value.slice(from);
  const start = rest.search(/[\w\-.]/);
  return start < 0 ? value : rest.slice(start);
}

function inParameter(name: string): Place {
  return (request) => {
    const parameters = queryOf(request.target);
    const found = parameters.find(([key]) => key === name);
    if (found === undefined) return null;
    return { text: found[1], takeAway: () => removeParameter(request, name) };
  };
}

/** Names and values, decoded. */
function queryOf(target: string): readonly (readonly [string, string])[] {
  return rawQueryOf(target).map((part) => {
    const equals = part.indexOf('=');
    const [name, value] = equals < 0 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)];
    return [decoded(name), decoded(value)] as const;
  });
}

function rawQueryOf(target: string): readonly string[] {
  const at = target.indexOf('?');
  return at < 0
    ? []
    : target
        .slice(at + 1)
        .split('&')
        .filter((part) => part !== '');
}

function decoded(text: string): string {
  return text.replace(/%([0-9a-fA-F]{2})/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
}

function removeParameter(request: FilteredRequest, name: string): void {
  const { target } = request;
  const kept = rawQueryOf(target).filter((part) => decoded(part.split('=', 1)[0]!) !== name);
  const path = target.split('?', 1)[0]!;
  request.target = kept.length === 0 ? path : `${path}?${kept.join('&')}`;
}

function inCookie(name: string): Place {
  return ({ exchange }) => {
    const text = cookie(exchange.head.headers, name);
    return text === null ? null : { text, takeAway: () => undefined };
  };
}

function cookie(headers: HeaderList, name: string): string | null {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'cookie') continue;
    for (const pair of headers[i + 1]!.split(';')) {
      const equals = pair.indexOf('=');
      if (equals >= 0 && pair.slice(0, equals).trim() === name) {
        return unquoted(pair.slice(equals + 1).trim());
      }
    }
  }
  return null;
}

function unquoted(text: string): string {
  return text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}
