import { z } from 'zod';
import { anyObject, objectOf, portNumber, rules, stringMap } from '../field-types.ts';
import { defineResource } from '../resource.ts';
import { column, exportTo, networking } from './networking-group.ts';
import { ageColumn, istioStatus } from './selectors.ts';

const workload = z.object({
  address: z
    .string()
    .max(256)
    .optional()
    .describe(
      'An IP address, or a name that DNS knows. May be left out of a workload that is reached through the gateway of its network.',
    ),
  ports: z
    .record(z.string(), portNumber)
    .optional()
    .describe(
      'The port of this workload for each named port of its services that has another number here.',
    ),
  labels: stringMap.optional().describe('What services and policies select it by.'),
  network: z
    .string()
    .max(2048)
    .optional()
    .describe("The network that the address is valid in. Default: the cluster's."),
  locality: z
    .string()
    .max(2048)
    .optional()
    .describe('Where it runs, as region/zone/subzone; the last parts may be left out.'),
  weight: z
    .int()
    .min(0)
    .optional()
    .describe('How much it gets of what is balanced, compared to others. Default: 1.'),
  serviceAccount: z
    .string()
    .max(253)
    .optional()
    .describe('The service account of its namespace whose identity it has.'),
});

/** What the mesh says of a ServiceEntry. */
const serviceEntryStatus = istioStatus.extend({
  addresses: z
    .array(
      z.object({
        value: z.string().optional().describe('An IP address.'),
        host: z.string().optional().describe('The host that has it.'),
      }),
    )
    .optional()
    .describe('Addresses that were given to hosts of an entry that names none.'),
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
          .max(256)
          .describe(
            'Names of the service; each is a service of its own. `*.` at the start stands for any.',
          ),
        addresses: z
          .array(z.string().max(64))
          .max(256)
          .optional()
          .describe(
            'Virtual addresses and ranges of the hosts. Without any, hosts are given some, unless connections go on to where they were going.',
          ),
        ports: z
          .array(
            z.object({
              number: portNumber.describe('The port that clients connect to.'),
              protocol: z
                .string()
                .max(256)
                .optional()
                .describe('HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS.'),
              name: z.string().max(256).describe('What endpoints call the port.'),
              targetPort: portNumber
                .optional()
                .describe('The port of endpoints that say nothing else. Default: the number.'),
            }),
          )
          .max(256)
          .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
          .optional()
          .describe('Ports of the service.'),
        location: z
          .enum(['MESH_EXTERNAL', 'MESH_INTERNAL'])
          .optional()
          .describe('Whether the service is outside of the mesh. Default: MESH_EXTERNAL.'),
        resolution: z
          .enum(['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS'])
          .optional()
          .describe(
            'Where connections go: on to where they were going (NONE, the default), to the endpoints (STATIC), to what DNS says of the endpoints or else of the host (DNS; DNS_ROUND_ROBIN: to the first answer), or of each name of a wildcard (DYNAMIC_DNS).',
          ),
        endpoints: z
          .array(workloadEntrySpec)
          .max(4096)
          .optional()
          .describe('Endpoints of the service. Not together with workloadSelector.'),
        workloadSelector: z
          .object({ labels: stringMap.optional().describe('All of them must be there.') })
          .optional()
          .describe('Selects pods and WorkloadEntries of the namespace as endpoints.'),
        exportTo: exportTo.describe('Namespaces whose sidecars and gateways know the service.'),
        subjectAltNames: z
          .array(z.string())
          .optional()
          .describe('Identities that endpoints may have.'),
      })
      .optional(),
    status: serviceEntryStatus.optional(),
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
          .optional()
          .describe('Labels and annotations of its WorkloadEntries.'),
        template: workload.describe('What its WorkloadEntries have in common.'),
        probe: anyObject.optional().describe('How a proxy finds out whether its workload is well.'),
      })
      .optional(),
    status: istioStatus.optional(),
  }),
});

/** The TypeScript type of `serviceEntry`. */
export type ServiceEntry = z.infer<typeof serviceEntry.schema>;
/** The TypeScript type of `workloadEntry`. */
export type WorkloadEntry = z.infer<typeof workloadEntry.schema>;
/** The TypeScript type of `workloadGroup`. */
export type WorkloadGroup = z.infer<typeof workloadGroup.schema>;
