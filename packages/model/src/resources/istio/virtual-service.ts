import { z } from 'zod';
import { objectOf, stringMap } from '../field-types.ts';
import { defineResource } from '../resource.ts';
import { column, exportTo, networking } from './networking-group.ts';
import { ageColumn, istioListedDuration, istioStatus } from './selectors.ts';

const stringMatch = z.object({
  exact: z.string().optional().describe('The whole value.'),
  prefix: z.string().optional().describe('What the value begins with.'),
  regex: z.string().optional().describe('RE2, of the whole value; `*` asks for any value.'),
});

const stringMatches = z.record(z.string(), stringMatch);

const percent = z.object({
  value: z.number().optional().describe('From 0 to 100, in steps of 0.0001.'),
});

const destination = z.object({
  host: z
    .string()
    .describe('A service: its name, or a short one in the namespace of the VirtualService.'),
  subset: z.string().optional().describe('A subset of it, which a DestinationRule defines.'),
  port: z
    .object({ number: z.int().min(0).optional() })
    .optional()
    .describe('Default: its only port, or else the one that the request was for.'),
});

const headerOperations = z.object({
  set: stringMap.optional().describe('Headers that are set to a value.'),
  add: stringMap.optional().describe('Headers that a value is added to.'),
  remove: z.array(z.string()).optional().describe('Headers that are taken away.'),
});

const headers = z.object({
  request: headerOperations.optional(),
  response: headerOperations.optional(),
});

const sources = {
  port: z.int().min(0).optional().describe('The port that is connected to.'),
  sourceLabels: stringMap.optional().describe('Labels of the client; waypoints do not see them.'),
  gateways: z.array(z.string()).optional().describe('Instead of those of the VirtualService.'),
  sourceNamespace: z.string().optional().describe('Namespace of the client.'),
};

const httpMatch = z.object({
  name: z.string().optional().describe('Follows the name of the route in logs.'),
  uri: stringMatch.optional().describe('The path, without the query.'),
  scheme: stringMatch.optional(),
  method: stringMatch.optional(),
  authority: stringMatch.optional(),
  headers: stringMatches.optional(),
  withoutHeaders: stringMatches.optional().describe('Headers that must not match.'),
  queryParams: stringMatches.optional(),
  ignoreUriCase: z.boolean().optional(),
  statPrefix: z.string().optional(),
  ...sources,
});

const httpRewrite = z.object({
  uri: z.string().optional().describe('In place of the prefix that matched, or of the path.'),
  authority: z.string().optional(),
  uriRegexRewrite: z
    .object({ match: z.string().optional(), rewrite: z.string().optional() })
    .optional()
    .describe('Replaces what `match` finds in the path by `rewrite`, with groups as `\\1`.'),
});

const httpRedirect = z.object({
  uri: z.string().optional().describe('In place of the whole path.'),
  authority: z.string().optional(),
  port: z.int().min(0).optional(),
  derivePort: z.enum(['FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT']).optional(),
  scheme: z.string().optional(),
  redirectCode: z.int().min(0).optional().describe('Default: 301.'),
});

const httpDirectResponse = z.object({
  status: z.int().min(0),
  body: z
    .object({
      string: z.string().optional(),
      bytes: z.string().optional().describe('In base64.'),
    })
    .optional(),
});

const httpRetry = z.object({
  attempts: z.int32().optional().describe('Tries after the first one; 0 is none.'),
  perTryTimeout: istioListedDuration.optional(),
  retryOn: z
    .string()
    .optional()
    .describe("Envoy's conditions and status codes, separated by commas."),
  retryRemoteLocalities: z.boolean().nullable().optional(),
  retryIgnorePreviousHosts: z.boolean().nullable().optional(),
  backoff: istioListedDuration
    .optional()
    .describe('Base of the pause before a retry. Default: 25ms.'),
});

const httpFault = z.object({
  delay: z
    .object({
      percentage: percent.optional().describe('Default: none.'),
      percent: z.int32().optional().describe('In place of `percentage`, deprecated.'),
      fixedDelay: istioListedDuration.optional(),
      exponentialDelay: istioListedDuration.optional(),
    })
    .optional(),
  abort: z
    .object({
      percentage: percent.optional().describe('Default: none.'),
      httpStatus: z.int32().optional(),
      grpcStatus: z.string().optional().describe('By name, such as UNAVAILABLE.'),
      http2Error: z.string().optional(),
    })
    .optional(),
});

const corsPolicy = z.object({
  allowOrigin: z.array(z.string()).optional().describe('Exact origins, deprecated.'),
  allowOrigins: z.array(stringMatch).optional(),
  allowMethods: z.array(z.string()).optional(),
  allowHeaders: z.array(z.string()).optional(),
  exposeHeaders: z.array(z.string()).optional(),
  maxAge: istioListedDuration.optional(),
  allowCredentials: z.boolean().nullable().optional(),
  unmatchedPreflights: z
    .enum(['UNSPECIFIED', 'FORWARD', 'IGNORE'])
    .optional()
    .describe('What becomes of preflights of other origins. Default: they are forwarded.'),
});

const weight = z.int32().optional().describe('Its share of what all destinations get.');

const httpRoute = z.object({
  name: z.string().optional().describe('Says in logs which route was taken.'),
  match: z.array(httpMatch).optional().describe('Any of them; none takes every request.'),
  route: z
    .array(z.object({ destination, weight, headers: headers.optional() }))
    .optional()
    .describe('Where requests go.'),
  redirect: httpRedirect.optional(),
  directResponse: httpDirectResponse.optional(),
  delegate: z
    .object({ name: z.string().optional(), namespace: z.string().optional() })
    .optional()
    .describe('A VirtualService without hosts, whose routes are tried within this match.'),
  rewrite: httpRewrite.optional(),
  timeout: istioListedDuration
    .optional()
    .describe('Of a request, with its retries. Default: none.'),
  retries: httpRetry.optional(),
  fault: httpFault.optional(),
  mirror: destination.optional(),
  mirrors: z.array(z.object({ destination, percentage: percent.optional() })).optional(),
  mirrorPercent: z.int().min(0).nullable().optional(),
  mirrorPercentage: percent.optional(),
  corsPolicy: corsPolicy.optional(),
  headers: headers.optional(),
});

const { port, sourceLabels, gateways, sourceNamespace } = sources;
const destinationSubnets = z.array(z.string()).optional();
const tcpDestinations = z.array(z.object({ destination, weight })).optional();

const tlsRoute = z.object({
  match: z.array(
    z.object({
      sniHosts: z.array(z.string()),
      destinationSubnets,
      port,
      sourceLabels,
      gateways,
      sourceNamespace,
    }),
  ),
  route: tcpDestinations,
});

const tcpRoute = z.object({
  match: z
    .array(
      z.object({
        destinationSubnets,
        port,
        sourceSubnet: z.string().optional(),
        sourceLabels,
        gateways,
        sourceNamespace,
      }),
    )
    .optional(),
  route: tcpDestinations,
});

/** Istio: routing rules of hosts. */
export const virtualService = defineResource({
  ...networking,
  kind: 'VirtualService',
  plural: 'virtualservices',
  singular: 'virtualservice',
  shortNames: ['vs'],
  columns: [
    column(
      'Gateways',
      '.spec.gateways',
      'The names of gateways and sidecars that should apply these routes',
    ),
    column('Hosts', '.spec.hosts', 'The destination hosts to which traffic is being sent'),
    ageColumn,
  ],
  schema: objectOf({
    spec: z
      .object({
        hosts: z
          .array(z.string())
          .optional()
          .describe('What the rules are for. Without any, it is for others to delegate to.'),
        gateways: z
          .array(z.string())
          .optional()
          .describe('Who follows the rules; `mesh` is every proxy in it. Default: mesh.'),
        http: z.array(httpRoute).optional().describe('Tried in order.'),
        tls: z.array(tlsRoute).optional(),
        tcp: z.array(tcpRoute).optional(),
        exportTo,
      })
      .optional(),
    status: istioStatus.optional(),
  }),
});

/** The TypeScript type of `virtualService`. */
export type VirtualService = z.infer<typeof virtualService.schema>;
/** One of its routes of HTTP. */
export type VirtualServiceHttpRoute = z.infer<typeof httpRoute>;
