import { z } from 'zod';
import { anyObject, objectOf, stringMap } from '../field-types.ts';
import { defineResource } from '../resource.ts';
import { column, exportTo, networking } from './networking-group.ts';
import { ageColumn, istioListedDuration, istioStatus, workloadSelector } from './selectors.ts';

const count = z.int().min(0);

const warmup = z.object({
  duration: istioListedDuration,
  minimumPercent: z.number().min(0).max(100).nullable().optional(),
  aggression: z.number().min(1).nullable().optional(),
});

const consistentHash = z.object({
  httpHeaderName: z.string().optional(),
  httpCookie: z
    .object({
      name: z.string(),
      path: z.string().optional(),
      ttl: z.string().optional().describe('0s makes a cookie of the session.'),
      attributes: z.array(z.object({ name: z.string(), value: z.string().optional() })).optional(),
    })
    .optional(),
  useSourceIp: z.boolean().optional(),
  httpQueryParameterName: z.string().optional(),
  ringHash: z.object({ minimumRingSize: count.optional() }).optional(),
  maglev: z.object({ tableSize: count.optional() }).optional(),
  minimumRingSize: count.optional().describe('Deprecated.'),
});

const localityLbSetting = z.object({
  distribute: z
    .array(
      z.object({
        from: z.string().optional(),
        to: z.record(z.string(), count).optional(),
      }),
    )
    .optional(),
  failover: z
    .array(z.object({ from: z.string().optional(), to: z.string().optional() }))
    .optional(),
  failoverPriority: z.array(z.string()).optional(),
  enabled: z.boolean().nullable().optional(),
});

const loadBalancer = z.object({
  simple: z
    .enum(['UNSPECIFIED', 'LEAST_CONN', 'RANDOM', 'PASSTHROUGH', 'ROUND_ROBIN', 'LEAST_REQUEST'])
    .optional(),
  consistentHash: consistentHash.optional(),
  localityLbSetting: localityLbSetting.optional(),
  warmup: warmup.optional(),
  warmupDurationSecs: istioListedDuration.optional().describe('Deprecated.'),
});

const connectionPool = z.object({
  tcp: z
    .object({
      maxConnections: z.int32().optional(),
      connectTimeout: istioListedDuration.optional(),
      tcpKeepalive: z
        .object({
          probes: count.optional(),
          time: istioListedDuration.optional(),
          interval: istioListedDuration.optional(),
        })
        .optional(),
      maxConnectionDuration: istioListedDuration.optional(),
      idleTimeout: istioListedDuration.optional(),
    })
    .optional(),
  http: z
    .object({
      http1MaxPendingRequests: z.int32().optional(),
      http2MaxRequests: z.int32().optional(),
      maxRequestsPerConnection: z.int32().optional(),
      maxRetries: z.int32().optional(),
      idleTimeout: istioListedDuration.optional(),
      h2UpgradePolicy: z.enum(['DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE']).optional(),
      useClientProtocol: z.boolean().optional(),
      maxConcurrentStreams: z.int32().optional(),
      http2KeepAlive: z
        .object({
          interval: istioListedDuration.optional(),
          timeout: istioListedDuration.optional(),
        })
        .optional(),
    })
    .optional(),
});

const outlierDetection = z.object({
  consecutiveErrors: z.int32().optional().describe('Deprecated.'),
  consecutive5xxErrors: count.nullable().optional(),
  consecutiveGatewayErrors: count.nullable().optional(),
  splitExternalLocalOriginErrors: z.boolean().optional(),
  consecutiveLocalOriginFailures: count.nullable().optional(),
  interval: istioListedDuration.optional(),
  baseEjectionTime: istioListedDuration.optional(),
  maxEjectionPercent: z.int32().optional(),
  minHealthPercent: z.int32().optional(),
});

const clientTls = z.object({
  mode: z.enum(['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL']).optional(),
  clientCertificate: z.string().optional(),
  privateKey: z.string().optional(),
  caCertificates: z.string().optional().describe('Default: those of the operating system.'),
  caCrl: z.string().optional(),
  credentialName: z.string().optional(),
  subjectAltNames: z.array(z.string()).optional(),
  sni: z.string().optional(),
  insecureSkipVerify: z.boolean().nullable().optional(),
});

const portPolicy = {
  loadBalancer: loadBalancer.optional(),
  connectionPool: connectionPool.optional(),
  outlierDetection: outlierDetection.optional(),
  tls: clientTls.optional(),
};

const trafficPolicy = z.object({
  ...portPolicy,
  portLevelSettings: z
    .array(z.object({ port: z.object({ number: count.optional() }).optional(), ...portPolicy }))
    .optional()
    .describe('Of a port, in place of everything else that is said of it.'),
  tunnel: anyObject.optional(),
  proxyProtocol: z
    .object({ version: z.enum(['V1', 'V2']).optional() })
    .optional()
    .describe('Connections begin with a PROXY header.'),
  retryBudget: z
    .object({
      percent: z.number().min(0).max(100).nullable().optional(),
      minRetryConcurrency: count.optional(),
    })
    .optional(),
});

/** Istio: policies of traffic to a host and its subsets. */
export const destinationRule = defineResource({
  ...networking,
  kind: 'DestinationRule',
  plural: 'destinationrules',
  singular: 'destinationrule',
  shortNames: ['dr'],
  columns: [
    column('Host', '.spec.host', 'The name of a service from the service registry'),
    ageColumn,
  ],
  schema: objectOf({
    spec: z
      .object({
        host: z
          .string()
          .describe('A service: its name, a short one in this namespace, or `*.` and a suffix.'),
        trafficPolicy: trafficPolicy.optional(),
        subsets: z
          .array(
            z.object({
              name: z.string(),
              labels: stringMap.optional().describe('Of the endpoints that belong to it.'),
              trafficPolicy: trafficPolicy
                .optional()
                .describe('What it says replaces that part of the policy of the rule.'),
            }),
          )
          .optional(),
        exportTo,
        workloadSelector: workloadSelector
          .optional()
          .describe('The clients that the rule is for; waypoints follow no such rule.'),
      })
      .optional(),
    status: istioStatus.optional(),
  }),
});

/** The TypeScript type of `destinationRule`. */
export type DestinationRule = z.infer<typeof destinationRule.schema>;
/** What a DestinationRule says of a host or of a subset. */
export type DestinationRulePolicy = z.infer<typeof trafficPolicy>;
