import { z } from 'zod';
import { objectOf, stringMap } from '../field-types.ts';
import { defineResource } from '../resource.ts';
import { networking } from './networking-group.ts';
import { ageColumn, istioStatus } from './selectors.ts';

const port = z.object({
  number: z.int().min(0).optional().describe('The port that is listened on.'),
  protocol: z.string().optional().describe('HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS.'),
  name: z.string().optional(),
  targetPort: z.int().min(0).optional(),
});

const captureMode = z
  .enum(['DEFAULT', 'IPTABLES', 'NONE'])
  .optional()
  .describe('Whether traffic is redirected to the listener. NONE: applications connect to it.');

const ingressListener = z.object({
  port,
  bind: z
    .string()
    .optional()
    .describe('The address that is listened on. Default: that of the workload.'),
  captureMode,
  defaultEndpoint: z
    .string()
    .optional()
    .describe('Where requests go: 127.0.0.1:PORT, 0.0.0.0:PORT (the same) or unix:///PATH.'),
  tls: z.record(z.string(), z.unknown()).optional(),
  connectionPool: z.record(z.string(), z.unknown()).optional(),
});

const egressListener = z.object({
  port: port.optional().describe('Default: the ports of the hosts.'),
  bind: z
    .string()
    .optional()
    .describe('The address that is listened on. Default: those of the hosts.'),
  captureMode,
  hosts: z
    .array(z.string())
    .describe('What is seen, as namespace/name: `.` is the own namespace, `*` any, `~` none.'),
});

/** Istio: what the sidecars of workloads see. */
export const sidecar = defineResource({
  ...networking,
  kind: 'Sidecar',
  plural: 'sidecars',
  singular: 'sidecar',
  columns: [ageColumn],
  schema: objectOf({
    spec: z
      .object({
        workloadSelector: z.object({ labels: stringMap.optional() }).optional(),
        ingress: z.array(ingressListener).optional(),
        egress: z.array(egressListener).optional(),
        outboundTrafficPolicy: z
          .object({
            mode: z
              .enum(['REGISTRY_ONLY', 'ALLOW_ANY'])
              .optional()
              .describe(
                'What becomes of traffic to anything that is not known. Default: REGISTRY_ONLY.',
              ),
            egressProxy: z.record(z.string(), z.unknown()).optional(),
          })
          .optional(),
        inboundConnectionPool: z.record(z.string(), z.unknown()).optional(),
      })
      .optional(),
    status: istioStatus.optional(),
  }),
});

/** The TypeScript type of `sidecar`. */
export type Sidecar = z.infer<typeof sidecar.schema>;
