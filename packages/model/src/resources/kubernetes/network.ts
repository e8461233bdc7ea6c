import { z } from 'zod';
import {
  atomic,
  intOrString,
  keyedList,
  looseConditions,
  objectOf,
  stringMap,
  timestamp,
} from '../field-types.ts';
import { defineResource } from '../resource.ts';

/** Kubernetes API: any object, by kind, namespace and name. */
export const objectReference = atomic(
  z.object({
    kind: z.string().optional(),
    namespace: z.string().optional(),
    name: z.string().optional(),
    uid: z.string().optional(),
    apiVersion: z.string().optional(),
    resourceVersion: z.string().optional(),
    fieldPath: z.string().optional(),
  }),
);

const servicePort = z.object({
  name: z.string().optional(),
  protocol: z.string().default('TCP').optional(),
  appProtocol: z.string().optional(),
  port: z.int32().describe('The port that will be exposed by this service.'),
  targetPort: intOrString
    .optional()
    .describe('Number or name of the port to access on the pods. Default: port.'),
  nodePort: z.int32().optional(),
});

/** Kubernetes API: a name and address for a set of pods. */
export const service = defineResource({
  group: '',
  versions: ['v1'],
  kind: 'Service',
  plural: 'services',
  singular: 'service',
  shortNames: ['svc'],
  categories: ['all'],
  namespaced: true,
  subresources: { status: true },
  schema: objectOf({
    spec: z
      .object({
        ports: keyedList(servicePort, 'port', 'protocol').optional(),
        selector: atomic(stringMap).optional(),
        clusterIP: z.string().optional().describe('"None" makes the service headless.'),
        clusterIPs: z.array(z.string()).optional(),
        type: z
          .string()
          .optional()
          .describe('ExternalName, ClusterIP, NodePort or LoadBalancer. Default ClusterIP.'),
        externalIPs: z.array(z.string()).optional(),
        sessionAffinity: z.string().optional(),
        loadBalancerIP: z.string().optional(),
        loadBalancerSourceRanges: z.array(z.string()).optional(),
        externalName: z.string().optional(),
        externalTrafficPolicy: z.string().optional(),
        healthCheckNodePort: z.int32().optional(),
        publishNotReadyAddresses: z.boolean().optional(),
        sessionAffinityConfig: z
          .object({ clientIP: z.object({ timeoutSeconds: z.int32().optional() }).optional() })
          .optional(),
        ipFamilies: z.array(z.string()).optional(),
        ipFamilyPolicy: z.string().optional(),
        allocateLoadBalancerNodePorts: z.boolean().optional(),
        loadBalancerClass: z.string().optional(),
        internalTrafficPolicy: z.string().optional(),
        trafficDistribution: z.string().optional(),
      })
      .optional(),
    status: z
      .object({
        loadBalancer: z
          .object({
            ingress: z
              .array(
                z.object({
                  ip: z.string().optional(),
                  hostname: z.string().optional(),
                  ipMode: z.string().optional(),
                  ports: z
                    .array(
                      z.object({
                        port: z.int32(),
                        protocol: z.string(),
                        error: z.string().optional(),
                      }),
                    )
                    .optional(),
                }),
              )
              .optional(),
          })
          .optional(),
        conditions: looseConditions.optional(),
      })
      .optional(),
  }),
});

/** Kubernetes API: the endpoints of a Service, in slices. */
export const endpointSlice = defineResource({
  group: 'discovery.k8s.io',
  versions: ['v1'],
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  singular: 'endpointslice',
  namespaced: true,
  schema: objectOf({
    addressType: z.string().describe('IPv4, IPv6 or FQDN.'),
    endpoints: z
      .array(
        z.object({
          addresses: z.array(z.string()),
          conditions: z
            .object({
              ready: z.boolean().optional(),
              serving: z.boolean().optional(),
              terminating: z.boolean().optional(),
            })
            .optional(),
          hostname: z.string().optional(),
          targetRef: objectReference.optional(),
          deprecatedTopology: stringMap.optional(),
          nodeName: z.string().optional(),
          zone: z.string().optional(),
          hints: z
            .object({
              forZones: z.array(z.object({ name: z.string() })).optional(),
              forNodes: z.array(z.object({ name: z.string() })).optional(),
            })
            .optional(),
        }),
      )
      .nullable()
      .optional(),
    ports: z
      .array(
        z.object({
          name: z.string().optional(),
          protocol: z.string().optional(),
          port: z.int32().nullable().optional(),
          appProtocol: z.string().optional(),
        }),
      )
      .nullable()
      .optional(),
  }),
});

const endpointAddress = atomic(
  z.object({
    ip: z.string(),
    hostname: z.string().optional(),
    nodeName: z.string().optional(),
    targetRef: objectReference.optional(),
  }),
);

/** Kubernetes API: the endpoints of a Service, the older form. */
export const endpoints = defineResource({
  group: '',
  versions: ['v1'],
  kind: 'Endpoints',
  plural: 'endpoints',
  singular: 'endpoints',
  shortNames: ['ep'],
  namespaced: true,
  schema: objectOf({
    subsets: z
      .array(
        z.object({
          addresses: z.array(endpointAddress).optional(),
          notReadyAddresses: z.array(endpointAddress).optional(),
          ports: z
            .array(
              z.object({
                name: z.string().optional(),
                port: z.int32(),
                protocol: z.string().optional(),
                appProtocol: z.string().optional(),
              }),
            )
            .optional(),
        }),
      )
      .optional(),
  }),
});

/** Kubernetes API: who leads, and that a node lives. */
export const lease = defineResource({
  group: 'coordination.k8s.io',
  versions: ['v1'],
  kind: 'Lease',
  plural: 'leases',
  singular: 'lease',
  namespaced: true,
  schema: objectOf({
    spec: z
      .object({
        holderIdentity: z.string().optional(),
        leaseDurationSeconds: z.int32().optional(),
        acquireTime: timestamp.optional(),
        renewTime: timestamp.optional(),
        leaseTransitions: z.int32().optional(),
        strategy: z.string().optional(),
        preferredHolder: z.string().optional(),
      })
      .optional(),
  }),
});

/** The TypeScript type of `service`. */
export type Service = z.infer<typeof service.schema>;
/** The TypeScript type of `endpointSlice`. */
export type EndpointSlice = z.infer<typeof endpointSlice.schema>;
/** The TypeScript type of `endpoints`. */
export type Endpoints = z.infer<typeof endpoints.schema>;
/** The TypeScript type of `lease`. */
export type Lease = z.infer<typeof lease.schema>;
