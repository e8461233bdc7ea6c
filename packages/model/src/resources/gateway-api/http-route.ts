import { z } from 'zod';
import { keyedList, objectOf, rules } from '../field-types.ts';
import { defineResource } from '../resource.ts';
import { httpRouteFilters } from './http-filters.ts';
import {
  backendRefFields,
  duration,
  hostname,
  listOfRules,
  parentRefs,
  routeColumns,
  routeStatus,
  sectionName,
  servicePort,
} from './references.ts';

const headerName = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/);

/** How one request header or query parameter is matched. */
export const valueMatch = z.object({
  type: z.enum(['Exact', 'RegularExpression']).default('Exact').optional(),
  name: headerName,
  value: z.string().min(1).max(4096),
});

const literalTypes = "type one of ['Exact', 'PathPrefix']";

/** A rule for paths that are compared literally. */
function literalPath(message: string, test: string): readonly [string, string] {
  return [
    `${message} when ${literalTypes}`,
    `(self.type in ['Exact','PathPrefix']) ? ${test} : true`,
  ];
}

const forbiddenParts = ['//', '/./', '/../', '%2f', '%2F', '#'];
const validPath = "^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$";

const pathMatch = z
  .object({
    type: z
      .enum(['Exact', 'PathPrefix', 'RegularExpression'])
      .default('PathPrefix')
      .optional()
      .describe('Type specifies how to match against the path Value.'),
    value: z.string().max(1024).default('/').optional(),
  })
  .meta(
    rules(
      literalPath(
        "value must be an absolute path and start with '/'",
        "self.value.startsWith('/')",
      ),
      ...forbiddenParts.map((part) =>
        literalPath(`must not contain '${part}'`, `!self.value.contains('${part}')`),
      ),
      literalPath("must not end with '/..'", "!self.value.endsWith('/..')"),
      literalPath("must not end with '/.'", "!self.value.endsWith('/.')"),
      [
        "type must be one of ['Exact', 'PathPrefix', 'RegularExpression']",
        "self.type in ['Exact','PathPrefix'] || self.type == 'RegularExpression'",
      ],
      [
        `must only contain valid characters (matching ${validPath}) for types ['Exact', 'PathPrefix']`,
        `(self.type in ['Exact','PathPrefix']) ? self.value.matches(r"""${validPath}""") : true`,
      ],
    ),
  );

const httpRouteMatch = z.object({
  path: pathMatch.optional(),
  headers: keyedList(valueMatch, 'name').max(16).optional(),
  queryParams: keyedList(valueMatch, 'name').max(16).optional(),
  method: z
    .enum(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'])
    .optional(),
});

const httpRetry = z.object({
  codes: z
    .array(z.int32().min(400).max(599))
    .optional()
    .describe('HTTP response status codes for which a backend request should be retried.'),
  attempts: z
    .int()
    .optional()
    .describe('Attempts specifies the maximum number of times a request should be retried.'),
  backoff: duration
    .optional()
    .describe('Backoff specifies the minimum duration between retry attempts.'),
});

const cookieConfig = z.object({
  lifetimeType: z.enum(['Permanent', 'Session']).default('Session').optional(),
});

/** GEP-1619: requests of one session go to one backend endpoint. */
export const sessionPersistence = z.object({
  sessionName: z.string().max(128).optional(),
  absoluteTimeout: duration.optional(),
  idleTimeout: duration.optional(),
  type: z.enum(['Cookie', 'Header']).default('Cookie').optional(),
  cookieConfig: cookieConfig.optional(),
});

/** A prefix can be replaced only where one was matched. */
function prefixMatchRule(type: string, field: string): readonly [string, string] {
  return [
    `When using ${type} filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified`,
    `(has(self.filters) && self.filters.exists_one(f, has(f.${field}) && has(f.${field}.path) && f.${field}.path.type == 'ReplacePrefixMatch' && has(f.${field}.path.replacePrefixMatch))) ? ((size(self.matches) != 1 || !has(self.matches[0].path) || self.matches[0].path.type != 'PathPrefix') ? false : true) : true`,
  ];
}

const httpRouteRule = z
  .object({
    name: sectionName.optional(),
    matches: z
      .array(httpRouteMatch)
      .max(64)
      .default([{ path: { type: 'PathPrefix', value: '/' } }])
      .optional(),
    filters: httpRouteFilters.optional(),
    backendRefs: z
      .array(
        z.object({ ...backendRefFields, filters: httpRouteFilters.optional() }).meta(servicePort),
      )
      .max(16)
      .optional(),
    timeouts: z
      .object({
        request: duration.optional().describe('Whole request, retries included. "0s" disables it.'),
        backendRequest: duration.optional().describe('One attempt. Not above `request`.'),
      })
      .meta(
        rules([
          'backendRequest timeout cannot be longer than request timeout',
          "!(has(self.request) && has(self.backendRequest) && duration(self.request) != duration('0s') && duration(self.backendRequest) > duration(self.request))",
        ]),
      )
      .optional(),
    retry: httpRetry.optional(),
    sessionPersistence: sessionPersistence.optional(),
  })
  .meta(
    rules(
      [
        'RequestRedirect filter must not be used together with backendRefs',
        '(has(self.backendRefs) && size(self.backendRefs) > 0) ? (!has(self.filters) || self.filters.all(f, !has(f.requestRedirect))) : true',
      ],
      prefixMatchRule('RequestRedirect', 'requestRedirect'),
      prefixMatchRule('URLRewrite', 'urlRewrite'),
    ),
  );

/** Gateway API, experimental channel: HTTP routing, with `retry` (GEP-1731) and `timeouts` (GEP-1742). */
export const httpRoute = defineResource({
  group: 'gateway.networking.k8s.io',
  versions: ['v1', 'v1beta1'],
  kind: 'HTTPRoute',
  plural: 'httproutes',
  singular: 'httproute',
  categories: ['gateway-api'],
  namespaced: true,
  subresources: { status: true },
  columns: [routeColumns.hostnames, routeColumns.age],
  schema: objectOf({
    spec: z.object({
      parentRefs,
      useDefaultGateways: z.enum(['All', 'None']).optional(),
      hostnames: z.array(hostname).max(16).optional(),
      rules: z
        .array(httpRouteRule)
        .min(1)
        .max(16)
        .meta(listOfRules)
        .default([{ matches: [{ path: { type: 'PathPrefix', value: '/' } }] }])
        .optional(),
    }),
    status: routeStatus.optional(),
  }),
});

/** The TypeScript type of `httpRoute`. */
export type HTTPRoute = z.infer<typeof httpRoute.schema>;
/** The TypeScript type of `httpRouteRule`. */
export type HTTPRouteRule = z.infer<typeof httpRouteRule>;
/** The TypeScript type of `httpRouteMatch`. */
export type HTTPRouteMatch = z.infer<typeof httpRouteMatch>;
