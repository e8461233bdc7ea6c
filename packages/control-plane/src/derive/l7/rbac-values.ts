/** Single values of AuthorizationPolicies as Envoy permissions and principals (spec l7 5.2; recording l7/23). */
import { parseCidr } from '@aquifer/model';
import type { PermissionSchema, PrincipalSchema } from '@aquifer/wire/gen/envoy/config/rbac/v3_pb';
import type { HeaderMatcherSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { UriTemplateMatchConfigSchema } from '@aquifer/wire/gen/envoy/extensions/path/match/uri_template/v3_pb';
import type { StringMatcherSchema } from '@aquifer/wire/gen/envoy/type/matcher/v3_pb';
import { quoteRegex } from '../routing/regex.ts';
import { type Init, packed } from './packed.ts';

export type PermissionInit = Init<typeof PermissionSchema>;
export type PrincipalInit = Init<typeof PrincipalSchema>;
type HeaderInit = Init<typeof HeaderMatcherSchema>;
type StringInit = Init<typeof StringMatcherSchema>;

/** Never holds. */
export const NO_PERMISSION: PermissionInit = {
  rule: { case: 'notRule', value: { rule: { case: 'any', value: true } } },
};
/** Never holds. */
export const NOBODY: PrincipalInit = {
  identifier: { case: 'notId', value: { identifier: { case: 'any', value: true } } },
};

function regexMatch(regex: string): StringInit {
  return { matchPattern: { case: 'safeRegex', value: { regex } } };
}

/** `*` is any text but the empty one, `*x` a suffix, `x*` a prefix, anything else exact. */
export function stringMatch(value: string): StringInit {
  if (value === '*') return regexMatch('.+');
  if (value.startsWith('*')) return { matchPattern: { case: 'suffix', value: value.slice(1) } };
  if (value.endsWith('*')) return { matchPattern: { case: 'prefix', value: value.slice(0, -1) } };
  return { matchPattern: { case: 'exact', value } };
}

function headerMatch(name: string, value: string, ignoreCase: boolean): HeaderInit {
  if (value === '*') return { name, headerMatchSpecifier: { case: 'presentMatch', value: true } };
  const matcher: StringInit = { ...stringMatch(value), ignoreCase };
  return { name, headerMatchSpecifier: { case: 'stringMatch', value: matcher } };
}

export function host(value: string): PermissionInit {
  return { rule: { case: 'header', value: headerMatch(':authority', value, true) } };
}

export function method(value: string): PermissionInit {
  return { rule: { case: 'header', value: headerMatch(':method', value, false) } };
}

/** Whether a path that is a template is one: operators are whole segments, and none follows `{**}` (spec l7 5.2). */
export function isPath(value: string): boolean {
  if (!/[{}]/.test(value)) return true;
  const segments = value.split('/');
  const operators = segments.filter((segment) => /[{}*]/.test(segment));
  const isLast = !operators.slice(0, -1).includes('{**}');
  return isLast && operators.every((segment) => segment === '{*}' || segment === '{**}');
}

/** Templates with `{*}` and `{**}` by Envoy's URI template, everything else by the path without its query. */
export function path(value: string): PermissionInit {
  if (/\{\*\*?\}/.test(value)) {
    const pathTemplate = value.replaceAll('{**}', '**').replaceAll('{*}', '*');
    const typedConfig = packed(UriTemplateMatchConfigSchema, { pathTemplate });
    return { rule: { case: 'uriTemplate', value: { name: 'uri-template', typedConfig } } };
  }
  const matcher = { rule: { case: 'path' as const, value: stringMatch(value) } };
  return { rule: { case: 'urlPath', value: matcher } };
}

/** Null for what is no port number, such as a name. */
export function port(value: string): PermissionInit | null {
  const number = /^\d+$/.test(value) ? Number(value) : -1;
  if (number < 0 || number > 65_535) return null;
  return { rule: { case: 'destinationPort', value: number } };
}

/** A request header; names are matched without case by HTTP itself. */
export function requestHeader(name: string): (value: string) => PrincipalInit {
  return (value) => ({ identifier: { case: 'header', value: headerMatch(name, value, false) } });
}

/** The identity of the original client, which the tunnel's TLS proved. */
function peer(matcher: StringInit): PrincipalInit {
  const value = {
    key: 'io.istio.peer_principal',
    matcher: { case: 'stringMatch' as const, value: matcher },
  };
  return { identifier: { case: 'filterState', value } };
}

const SPIFFE = 'spiffe://';

export function principal(value: string): PrincipalInit {
  if (value === '*') return peer(regexMatch('.+'));
  if (value.startsWith('*')) return peer(regexMatch(`${SPIFFE}.*${quoteRegex(value.slice(1))}`));
  return peer(stringMatch(`${SPIFFE}${value}`));
}

/** `*` stands for any characters. */
export function namespace(value: string): PrincipalInit {
  return peer(regexMatch(`.*/ns/${value.split('*').map(quoteRegex).join('.*')}/.*`));
}

/** `namespace/name`, or a bare name in the policy's own namespace. */
export function serviceAccount(policyNamespace: string): (value: string) => PrincipalInit {
  return (value) => {
    const slash = value.indexOf('/');
    const owner = slash < 0 ? policyNamespace : value.slice(0, slash);
    const name = quoteRegex(slash < 0 ? value : value.slice(slash + 1));
    return peer(regexMatch(`spiffe://.+/ns/${quoteRegex(owner)}/(.+/|)sa/${name}(/.+)?`));
  };
}

/** A CIDR or a single address; null for anything else. */
function range(text: string): { addressPrefix: string; prefixLen: number } | null {
  const cidr = parseCidr(text);
  return cidr && { addressPrefix: cidr.address, prefixLen: cidr.prefixLength };
}

/**
 * `directRemoteIp` is whoever opened the connection, `remoteIp` the client that forwarding headers name. Null for what is
 * no address or range.
 */
export function sourceAddress(
  kind: 'directRemoteIp' | 'remoteIp',
): (value: string) => PrincipalInit | null {
  return (text) => {
    const value = range(text);
    return value === null ? null : { identifier: { case: kind, value } };
  };
}

/** Where the connection was going: the dialled address of the Service. Null for what is no address or range. */
export function destinationAddress(text: string): PermissionInit | null {
  const value = range(text);
  return value === null ? null : { rule: { case: 'destinationIp', value } };
}

/** The server name of the client's own TLS. */
export function serverName(value: string): PermissionInit {
  return { rule: { case: 'requestedServerName', value: stringMatch(value) } };
}
