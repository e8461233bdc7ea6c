import { z } from 'zod';
import { keyedList, objectOf } from '../field-types.ts';
import { defineResource } from '../resource.ts';
import { headerModifier, requestMirror } from './http-filters.ts';
import { sessionPersistence, valueMatch } from './http-route.ts';
import {
  backendRefFields,
  hostname,
  localObjectReference,
  parentRefs,
  routeColumns,
  routeStatus,
  sectionName,
  servicePort,
} from './references.ts';

const grpcFilter = z.object({
  type: z.enum([
    'ResponseHeaderModifier',
    'RequestHeaderModifier',
    'RequestMirror',
    'ExtensionRef',
  ]),
  requestHeaderModifier: headerModifier.optional(),
  responseHeaderModifier: headerModifier.optional(),
  requestMirror: requestMirror.optional(),
  extensionRef: localObjectReference.optional(),
});

const grpcMethodMatch = z.object({
  type: z.enum(['Exact', 'RegularExpression']).default('Exact').optional(),
  service: z.string().max(1024).optional(),
  method: z.string().max(1024).optional(),
});

/** Gateway API: gRPC routing (GEP-1016). */
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
        rules: z
          .array(
            z.object({
              name: sectionName.optional(),
              matches: z
                .array(
                  z.object({
                    method: grpcMethodMatch.optional(),
                    headers: keyedList(valueMatch, 'name').max(16).optional(),
                  }),
                )
                .max(64)
                .optional(),
              filters: z.array(grpcFilter).max(16).optional(),
              backendRefs: z
                .array(
                  z
                    .object({
                      ...backendRefFields,
                      filters: z.array(grpcFilter).max(16).optional(),
                    })
                    .meta(servicePort),
                )
                .max(16)
                .optional(),
              sessionPersistence: sessionPersistence.optional(),
            }),
          )
          .max(16)
          .optional(),
      })
      .optional(),
    status: routeStatus.optional(),
  }),
});

const rawRule = z.object({
  name: sectionName.optional(),
  backendRefs: z.array(z.object(backendRefFields).meta(servicePort)).min(1).max(16),
});

/** Gateway API: TCP connections to backends, by weight. */
export const tcpRoute = defineResource({
  group: 'gateway.networking.k8s.io',
  versions: ['v1'],
  kind: 'TCPRoute',
  plural: 'tcproutes',
  singular: 'tcproute',
  categories: ['gateway-api'],
  namespaced: true,
  subresources: { status: true },
  columns: [routeColumns.age],
  schema: objectOf({
    spec: z.object({
      parentRefs,
      useDefaultGateways: z.enum(['All', 'None']).optional(),
      rules: z.array(rawRule).min(1).max(16),
    }),
    status: routeStatus.optional(),
  }),
});

/** Gateway API: UDP datagrams to backends, by weight. */
export const udpRoute = defineResource({
  ...tcpRoute,
  kind: 'UDPRoute',
  plural: 'udproutes',
  singular: 'udproute',
});

/** Gateway API: TLS connections to backends, by server name. */
export const tlsRoute = defineResource({
  ...tcpRoute,
  kind: 'TLSRoute',
  plural: 'tlsroutes',
  singular: 'tlsroute',
  schema: objectOf({
    spec: z.object({
      parentRefs,
      useDefaultGateways: z.enum(['All', 'None']).optional(),
      hostnames: z.array(hostname).max(16).optional(),
      rules: z.array(rawRule).min(1).max(16),
    }),
    status: routeStatus.optional(),
  }),
});

/** The TypeScript type of `grpcRoute`. */
export type GRPCRoute = z.infer<typeof grpcRoute.schema>;
/** The TypeScript type of `tcpRoute`. */
export type TCPRoute = z.infer<typeof tcpRoute.schema>;
/** The TypeScript type of `tlsRoute`. */
export type TLSRoute = z.infer<typeof tlsRoute.schema>;
