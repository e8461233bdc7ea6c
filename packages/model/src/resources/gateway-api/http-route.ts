import { z } from 'zod';
import { keyedList, objectOf } from '../field-types.ts';
import { defineResource } from '../resource.ts';
import { httpRouteFilter } from './http-filters.ts';
import {
  backendRefFields,
  duration,
  hostname,
  parentRefs,
  routeColumns,
  routeStatus,
  sectionName,
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

const absolute = "(self.type in ['Exact','PathPrefix']) ? self.value.startsWith('/') : true";
const noDoubleSlash = "(self.type in ['Exact','PathPrefix']) ? !self.value.contains('//') : true";

const pathMatch = z
  .object({
    type: z
      .enum(['Exact', 'PathPrefix', 'RegularExpression'])
      .default('PathPrefix')
      .optional()
      .describe('Type specifies how to match against the path Value.'),
    value: z.string().max(1024).default('/').optional(),
  })
  .meta({
    'x-kubernetes-validations': [
      {
        message:
          "value must be an absolute path and start with '/' when type one of ['Exact', 'PathPrefix']",
        rule: absolute,
      },
      {
        message: "must not contain '//' when type one of ['Exact', 'PathPrefix']",
        rule: noDoubleSlash,
      },
      {
        message: "type must be one of ['Exact', 'PathPrefix', 'RegularExpression']",
        rule: "self.type in ['Exact','PathPrefix'] || self.type == 'RegularExpression'",
      },
    ],
  });

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

const httpRouteRule = z.object({
  name: sectionName.optional(),
  matches: z
    .array(httpRouteMatch)
    .max(64)
    .default([{ path: { type: 'PathPrefix', value: '/' } }])
    .optional(),
  filters: z.array(httpRouteFilter).max(16).optional(),
  backendRefs: z
    .array(z.object({ ...backendRefFields, filters: z.array(httpRouteFilter).max(16).optional() }))
    .max(16)
    .optional(),
  timeouts: z
    .object({
      request: duration.optional().describe('Whole request, retries included. "0s" disables it.'),
      backendRequest: duration.optional().describe('One attempt. Not above `request`.'),
    })
    .optional(),
  retry: httpRetry.optional(),
  sessionPersistence: sessionPersistence.optional(),
});

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
