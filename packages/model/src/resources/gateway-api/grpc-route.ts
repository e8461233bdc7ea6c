import { z } from 'zod';
import { keyedList, objectOf, rules } from '../field-types.ts';
import { defineResource } from '../resource.ts';
import { headerModifier, notRepeated, ownField, requestMirror } from './http-filters.ts';
import { sessionPersistence, valueMatch } from './http-route.ts';
import {
  backendRefFields,
  hostname,
  listOfRules,
  localObjectReference,
  parentRefs,
  routeColumns,
  routeStatus,
  sectionName,
  servicePort,
} from './references.ts';

const filterTypes = [
  'ResponseHeaderModifier',
  'RequestHeaderModifier',
  'RequestMirror',
  'ExtensionRef',
] as const;

const grpcRouteFilters = z
  .array(
    z
      .object({
        type: z.enum(filterTypes).describe('Which of the fields below this filter has.'),
        requestHeaderModifier: headerModifier.optional(),
        responseHeaderModifier: headerModifier.optional(),
        requestMirror: requestMirror.optional(),
        extensionRef: localObjectReference.optional(),
      })
      .meta(ownField(...filterTypes)),
  )
  .max(16)
  .meta(rules(...notRepeated('RequestHeaderModifier', 'ResponseHeaderModifier')));

/** A rule for a name that is compared literally. */
function literalName(field: string, pattern: string): readonly [string, string] {
  return [
    `${field} must only contain valid characters (matching ${pattern})`,
    `(!has(self.type) || self.type == 'Exact') && has(self.${field}) ? self.${field}.matches(r"""${pattern}""") : true`,
  ];
}

const grpcMethodMatch = z
  .object({
    type: z
      .enum(['Exact', 'RegularExpression'])
      .default('Exact')
      .optional()
      .describe('How service and method are compared; RegularExpression is RE2.'),
    service: z
      .string()
      .max(1024)
      .optional()
      .describe('Full name of the service, such as `shop.Cart`. Default: any.'),
    method: z.string().max(1024).optional().describe('Name of the method. Default: any.'),
  })
  .meta(
    rules(
      [
        "One or both of 'service' or 'method' must be specified",
        'has(self.type) ? has(self.service) || has(self.method) : true',
      ],
      literalName('service', '^\\.?[A-Za-z_][A-Za-z_0-9]*(\\.[A-Za-z_][A-Za-z_0-9]*)*$'),
      literalName('method', '^[A-Za-z_][A-Za-z_0-9]*$'),
    ),
  );

const grpcRouteRule = z.object({
  name: sectionName.optional(),
  matches: z
    .array(
      z.object({
        method: grpcMethodMatch.optional().describe('Which calls. Default: all.'),
        headers: keyedList(valueMatch, 'name')
          .max(16)
          .optional()
          .describe('Headers (metadata) that the call must have, all of them.'),
      }),
    )
    .max(64)
    .optional()
    .describe('The rule is for calls that any of these takes. Default: all calls.'),
  filters: grpcRouteFilters.optional(),
  backendRefs: z
    .array(
      z.object({ ...backendRefFields, filters: grpcRouteFilters.optional() }).meta(servicePort),
    )
    .max(16)
    .optional()
    .describe('Where calls go, by weight. Without any, calls fail.'),
  sessionPersistence: sessionPersistence.optional(),
});

/** Gateway API: gRPC routing by service, method and headers (GEP-1016). */
export const grpcRoute = defineResource({
  group: 'gateway.networking.k8s.io',
  versions: ['v1'],
  kind: 'GRPCRoute',
  plural: 'grpcroutes',
  singular: 'grpcroute',
  categories: ['gateway-api'],
  namespaced: true,
  subresources: { status: true },
  columns: [routeColumns.hostnames, routeColumns.age],
  schema: objectOf({
    spec: z
      .object({
        parentRefs,
        useDefaultGateways: z.enum(['All', 'None']).optional(),
        hostnames: z.array(hostname).max(16).optional(),
        rules: z.array(grpcRouteRule).max(16).meta(listOfRules).optional(),
      })
      .optional(),
    status: routeStatus.optional(),
  }),
});

/** The TypeScript type of `grpcRoute`. */
export type GRPCRoute = z.infer<typeof grpcRoute.schema>;
