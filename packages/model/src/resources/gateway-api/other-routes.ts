import { z } from 'zod';
import { objectOf } from '../field-types.ts';
import { defineResource } from '../resource.ts';
import {
  backendRefFields,
  hostname,
  parentRefs,
  routeColumns,
  routeStatus,
  sectionName,
  servicePort,
} from './references.ts';

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

/** The TypeScript type of `tcpRoute`. */
export type TCPRoute = z.infer<typeof tcpRoute.schema>;
/** The TypeScript type of `tlsRoute`. */
export type TLSRoute = z.infer<typeof tlsRoute.schema>;
