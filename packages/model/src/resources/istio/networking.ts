import { z } from 'zod';
import { anyObject, objectOf, portNumber, rules, stringMap } from '../field-types.ts';
import { defineResource, type PrinterColumn } from '../resource.ts';
import { ageColumn, istioStatus, policyTargetReference, workloadSelector } from './selectors.ts';

const networking = {
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  categories: ['istio-io', 'networking-istio-io'],
  namespaced: true,
  subresources: { status: true },
} as const;

function column(name: string, jsonPath: string, description: string): PrinterColumn {
  return { name, type: 'string', jsonPath, description };
}

const exportTo = z.array(z.string()).optional();

/** Istio: routing rules of hosts. Routes are stored as given. */
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
        hosts: z.array(z.string()).optional(),
        gateways: z.array(z.string()).optional(),
        http: z.array(anyObject).optional(),
        tls: z.array(anyObject).optional(),
        tcp: z.array(anyObject).optional(),
        exportTo,
      })
      .optional(),
    status: istioStatus.optional(),
  }),
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
        host: z.string(),
        trafficPolicy: anyObject.optional(),
        subsets: z
          .array(
            z.object({
              name: z.string(),
              labels: stringMap.optional(),
              trafficPolicy: anyObject.optional(),
            }),
          )
          .optional(),
        exportTo,
        workloadSelector: workloadSelector.optional(),
      })
      .optional(),
    status: istioStatus.optional(),
  }),
});

const workload = z.object({
  address: z.string().max(256).optional(),
  ports: z.record(z.string(), portNumber).optional(),
  labels: stringMap.optional(),
  network: z.string().max(2048).optional(),
  locality: z.string().max(2048).optional(),
  weight: z.int().min(0).optional(),
  serviceAccount: z.string().max(253).optional(),
});

const workloadEntrySpec = workload.meta(
  rules(['Address is required', 'has(self.address) || has(self.network)']),
);

/** Istio: a service that Kubernetes does not know. */
export const serviceEntry = defineResource({
  ...networking,
  kind: 'ServiceEntry',
  plural: 'serviceentries',
  singular: 'serviceentry',
  shortNames: ['se'],
  columns: [
    column('Hosts', '.spec.hosts', 'The hosts associated with the ServiceEntry'),
    column(
      'Location',
      '.spec.location',
      'Whether the service is external to the mesh or part of the mesh',
    ),
    column('Resolution', '.spec.resolution', 'Service resolution mode for the hosts'),
    ageColumn,
  ],
  schema: objectOf({
    spec: z
      .object({
        hosts: z
          .array(z.string().meta(rules(['hostname cannot be wildcard', "self != '*'"])))
          .min(1)
          .max(256),
        addresses: z.array(z.string().max(64)).max(256).optional(),
        ports: z
          .array(
            z.object({
              number: portNumber,
              protocol: z.string().max(256).optional(),
              name: z.string().max(256),
              targetPort: portNumber.optional(),
            }),
          )
          .max(256)
          .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
          .optional(),
        location: z.enum(['MESH_EXTERNAL', 'MESH_INTERNAL']).optional(),
        resolution: z.enum(['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS']).optional(),
        endpoints: z.array(workloadEntrySpec).max(4096).optional(),
        workloadSelector: z.object({ labels: stringMap.optional() }).optional(),
        exportTo,
        subjectAltNames: z.array(z.string()).optional(),
      })
      .optional(),
    status: istioStatus.optional(),
  }),
});

/** Istio: a workload that is no pod. */
export const workloadEntry = defineResource({
  ...networking,
  kind: 'WorkloadEntry',
  plural: 'workloadentries',
  singular: 'workloadentry',
  shortNames: ['we'],
  columns: [
    ageColumn,
    column('Address', '.spec.address', 'Address associated with the network endpoint.'),
  ],
  schema: objectOf({ spec: workloadEntrySpec.optional(), status: istioStatus.optional() }),
});

/** Istio: what WorkloadEntries of one kind are made from. */
export const workloadGroup = defineResource({
  ...networking,
  kind: 'WorkloadGroup',
  plural: 'workloadgroups',
  singular: 'workloadgroup',
  shortNames: ['wg'],
  columns: [ageColumn],
  schema: objectOf({
    spec: z
      .object({
        metadata: z
          .object({ labels: stringMap.optional(), annotations: stringMap.optional() })
          .optional(),
        template: workload,
        probe: anyObject.optional(),
      })
      .optional(),
    status: istioStatus.optional(),
  }),
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
        ingress: z.array(anyObject).optional(),
        egress: z
          .array(
            z.object({
              port: anyObject.optional(),
              bind: z.string().optional(),
              captureMode: z.enum(['DEFAULT', 'IPTABLES', 'NONE']).optional(),
              hosts: z.array(z.string()),
            }),
          )
          .optional(),
        outboundTrafficPolicy: anyObject.optional(),
        inboundConnectionPool: anyObject.optional(),
      })
      .optional(),
    status: istioStatus.optional(),
  }),
});

/** Istio: servers of a gateway (networking.istio.io, not Gateway API). */
export const istioGateway = defineResource({
  ...networking,
  kind: 'Gateway',
  plural: 'gateways',
  singular: 'gateway',
  shortNames: ['gw'],
  columns: [ageColumn],
  schema: objectOf({
    spec: z
      .object({ servers: z.array(anyObject).optional(), selector: stringMap.optional() })
      .optional(),
    status: istioStatus.optional(),
  }),
});

/** Not supported by the mesh, but its objects can be stored so that they are reported, not lost. */
export const envoyFilter = defineResource({
  ...networking,
  versions: ['v1alpha3'],
  kind: 'EnvoyFilter',
  plural: 'envoyfilters',
  singular: 'envoyfilter',
  columns: [ageColumn],
  schema: objectOf({ spec: anyObject.optional(), status: istioStatus.optional() }),
});

/** Istio: settings of the proxies of workloads. */
export const proxyConfig = defineResource({
  ...networking,
  versions: ['v1beta1'],
  kind: 'ProxyConfig',
  plural: 'proxyconfigs',
  singular: 'proxyconfig',
  columns: [ageColumn],
  schema: objectOf({
    spec: z
      .object({
        selector: workloadSelector.optional(),
        concurrency: z.int32().min(0).nullable().optional(),
        environmentVariables: stringMap.optional(),
        image: z.object({ imageType: z.string().optional() }).optional(),
      })
      .optional(),
    status: istioStatus.optional(),
  }),
});

const extensions = {
  group: 'extensions.istio.io',
  versions: ['v1alpha1'],
  categories: ['istio-io', 'extensions-istio-io'],
  namespaced: true,
  subresources: { status: true },
  columns: [ageColumn],
  schema: objectOf({ spec: anyObject.optional(), status: istioStatus.optional() }),
} as const;

/** Istio: not run by the mesh; stored so that it is reported. */
export const wasmPlugin = defineResource({
  ...extensions,
  kind: 'WasmPlugin',
  plural: 'wasmplugins',
  singular: 'wasmplugin',
});

/** Istio: not run by the mesh; stored so that it is reported. */
export const trafficExtension = defineResource({
  ...extensions,
  kind: 'TrafficExtension',
  plural: 'trafficextensions',
  singular: 'trafficextension',
});

/** Istio: metrics, logs and traces of workloads. */
export const telemetry = defineResource({
  group: 'telemetry.istio.io',
  versions: ['v1', 'v1alpha1'],
  kind: 'Telemetry',
  plural: 'telemetries',
  singular: 'telemetry',
  shortNames: ['telemetry'],
  categories: ['istio-io', 'telemetry-istio-io'],
  namespaced: true,
  subresources: { status: true },
  columns: [ageColumn],
  schema: objectOf({
    spec: z
      .object({
        selector: workloadSelector.optional(),
        targetRef: policyTargetReference.optional(),
        targetRefs: z.array(policyTargetReference).max(16).optional(),
        tracing: z.array(anyObject).optional(),
        metrics: z.array(anyObject).optional(),
        accessLogging: z.array(anyObject).optional(),
      })
      .optional(),
    status: istioStatus.optional(),
  }),
});

/** The TypeScript type of `virtualService`. */
export type VirtualService = z.infer<typeof virtualService.schema>;
/** The TypeScript type of `destinationRule`. */
export type DestinationRule = z.infer<typeof destinationRule.schema>;
/** The TypeScript type of `serviceEntry`. */
export type ServiceEntry = z.infer<typeof serviceEntry.schema>;
/** The TypeScript type of `workloadEntry`. */
export type WorkloadEntry = z.infer<typeof workloadEntry.schema>;
/** The TypeScript type of `workloadGroup`. */
export type WorkloadGroup = z.infer<typeof workloadGroup.schema>;
/** The TypeScript type of `sidecar`. */
export type Sidecar = z.infer<typeof sidecar.schema>;
/** The TypeScript type of `istioGateway`. */
export type IstioGateway = z.infer<typeof istioGateway.schema>;
/** The TypeScript type of `telemetry`. */
export type Telemetry = z.infer<typeof telemetry.schema>;
