import { z } from 'zod';
import {
  keyedList,
  labelSelector,
  objectOf,
  portNumber,
  rules,
  stringMap,
} from '../field-types.ts';
import { condition } from '../meta.ts';
import { defineResource } from '../resource.ts';
import {
  group,
  hostname,
  kind,
  localObjectReference,
  namespaceName,
  objectName,
  sectionName,
} from './references.ts';

const conditions = keyedList(condition, 'type').max(8);
const age = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' } as const;
/** What a status says before any controller has looked (Gateway API `kubebuilder:default`). */
const pending = (type: string) => ({
  type,
  status: 'Unknown' as const,
  reason: 'Pending',
  message: 'Waiting for controller',
  lastTransitionTime: '1970-01-01T00:00:00Z',
});

const routeGroupKind = z.object({
  group: group.default('gateway.networking.k8s.io').optional(),
  kind,
});

const secretReference = z.object({
  group: group.default('').optional(),
  kind: kind.default('Secret').optional(),
  name: objectName,
  namespace: namespaceName.optional(),
});

/** Which namespaces may do something; `Selector` goes by their labels. */
const namespacesFrom = (otherwise: 'Same' | 'None') =>
  z
    .object({
      from: z.enum(['All', 'Selector', 'Same', 'None']).default(otherwise).optional(),
      selector: labelSelector.optional(),
    })
    .default({ from: otherwise })
    .optional();

const listener = z.object({
  name: sectionName.describe('Name of the listener, unique within the Gateway.'),
  hostname: hostname.optional(),
  port: portNumber,
  protocol: z
    .string()
    .min(1)
    .max(255)
    .describe('HTTP, HTTPS, TLS, TCP, UDP, or HBONE for a waypoint.'),
  tls: z
    .object({
      mode: z.enum(['Terminate', 'Passthrough']).default('Terminate').optional(),
      certificateRefs: z.array(secretReference).max(64).optional(),
      options: stringMap.optional(),
    })
    .meta(
      rules([
        'certificateRefs or options must be specified when mode is Terminate',
        "self.mode == 'Terminate' ? (has(self.certificateRefs) && size(self.certificateRefs) > 0) || (has(self.options) && size(self.options) > 0) : true",
      ]),
    )
    .optional(),
  allowedRoutes: z
    .object({
      namespaces: namespacesFrom('Same'),
      kinds: z.array(routeGroupKind).max(8).optional(),
    })
    .default({ namespaces: { from: 'Same' } })
    .optional(),
});

const listenerRules = rules(
  [
    "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']",
    "self.all(l, l.protocol in ['HTTP', 'TCP', 'UDP'] ? !has(l.tls) : true)",
  ],
  [
    'tls mode must be Terminate for protocol HTTPS',
    "self.all(l, (l.protocol == 'HTTPS' && has(l.tls)) ? (l.tls.mode == '' || l.tls.mode == 'Terminate') : true)",
  ],
  [
    "hostname must not be specified for protocols ['TCP', 'UDP']",
    "self.all(l, l.protocol in ['TCP', 'UDP'] ? (!has(l.hostname) || l.hostname == '') : true)",
  ],
  [
    'Listener name must be unique within the Gateway',
    'self.all(l1, self.exists_one(l2, l1.name == l2.name))',
  ],
  [
    'Combination of port, protocol and hostname must be unique for each listener',
    'self.all(l1, self.exists_one(l2, l1.port == l2.port && l1.protocol == l2.protocol && (has(l1.hostname) && has(l2.hostname) ? l1.hostname == l2.hostname : !has(l1.hostname) && !has(l2.hostname))))',
  ],
);

const address = z.object({
  type: z.string().min(1).max(253).default('IPAddress').optional(),
  value: z.string().max(253).optional(),
});

const listenerStatuses = keyedList(
  z.object({
    name: sectionName,
    supportedKinds: z.array(routeGroupKind).max(8).optional(),
    attachedRoutes: z.int32(),
    conditions: conditions.optional(),
  }),
  'name',
)
  .max(64)
  .optional();

const gatewayStatus = z.object({
  addresses: z.array(address).max(16).optional(),
  conditions: conditions.optional(),
  attachedListenerSets: z.int32().optional(),
  listeners: listenerStatuses,
});

const frontendTls = z.object({
  validation: z
    .object({
      caCertificateRefs: z
        .array(z.object({ group, kind, name: objectName, namespace: namespaceName.optional() }))
        .min(1)
        .max(8)
        .describe('One ConfigMap with `ca.crt`, PEM.'),
      mode: z
        .enum(['AllowValidOnly', 'AllowInsecureFallback'])
        .default('AllowValidOnly')
        .optional(),
    })
    .optional(),
});

/** TLS of a Gateway as a whole: what it shows to backends, and what it asks of clients (GEP-91, GEP-3155). */
const gatewayTls = z.object({
  backend: z.object({ clientCertificateRef: secretReference.optional() }).optional(),
  frontend: z
    .object({
      default: frontendTls,
      perPort: z
        .array(z.object({ port: portNumber, tls: frontendTls }))
        .max(64)
        .optional()
        .describe('Instead of the default, for the HTTPS listeners of one port.'),
    })
    .optional(),
});

/** Gateway API: where traffic enters; of class `istio-waypoint`, a waypoint. */
export const gateway = defineResource({
  group: 'gateway.networking.k8s.io',
  versions: ['v1', 'v1beta1'],
  kind: 'Gateway',
  plural: 'gateways',
  singular: 'gateway',
  shortNames: ['gtw'],
  categories: ['gateway-api'],
  namespaced: true,
  subresources: { status: true },
  columns: [
    { name: 'Class', type: 'string', jsonPath: '.spec.gatewayClassName' },
    { name: 'Address', type: 'string', jsonPath: '.status.addresses[*].value' },
    {
      name: 'Programmed',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Programmed")].status',
    },
    age,
  ],
  schema: objectOf({
    spec: z.object({
      gatewayClassName: objectName.describe('Name of the GatewayClass that this Gateway uses.'),
      listeners: keyedList(listener, 'name').min(1).max(64).meta(listenerRules),
      addresses: z.array(address).max(16).optional(),
      infrastructure: z
        .object({
          labels: stringMap.optional(),
          annotations: stringMap.optional(),
          parametersRef: localObjectReference.optional(),
        })
        .optional(),
      allowedListeners: z
        .object({ namespaces: namespacesFrom('None') })
        .optional()
        .describe('Whose ListenerSets may add listeners. Default: nobody.'),
      defaultScope: z.enum(['All', 'None']).optional(),
      tls: gatewayTls.optional(),
    }),
    status: gatewayStatus
      .default({ conditions: [pending('Accepted'), pending('Programmed')] })
      .optional(),
  }),
});

/** Gateway API: which controller runs the Gateways of a class. */
export const gatewayClass = defineResource({
  group: 'gateway.networking.k8s.io',
  versions: ['v1', 'v1beta1'],
  kind: 'GatewayClass',
  plural: 'gatewayclasses',
  singular: 'gatewayclass',
  shortNames: ['gc'],
  categories: ['gateway-api'],
  namespaced: false,
  subresources: { status: true },
  columns: [
    { name: 'Controller', type: 'string', jsonPath: '.spec.controllerName' },
    {
      name: 'Accepted',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Accepted")].status',
    },
    age,
    { name: 'Description', type: 'string', jsonPath: '.spec.description', priority: 1 },
  ],
  schema: objectOf({
    spec: z.object({
      controllerName: z
        .string()
        .min(1)
        .max(253)
        .meta(rules(['Value is immutable', 'self == oldSelf'])),
      parametersRef: z
        .object({ group, kind, name: objectName, namespace: namespaceName.optional() })
        .optional(),
      description: z.string().max(64).optional(),
    }),
    status: z
      .object({
        conditions: conditions.optional(),
        supportedFeatures: keyedList(z.object({ name: z.string() }), 'name')
          .max(64)
          .optional(),
      })
      .default({ conditions: [pending('Accepted')] })
      .optional(),
  }),
});

/** Gateway API: lets objects of one namespace refer to those of another. */
export const referenceGrant = defineResource({
  group: 'gateway.networking.k8s.io',
  versions: ['v1', 'v1beta1'],
  kind: 'ReferenceGrant',
  plural: 'referencegrants',
  singular: 'referencegrant',
  shortNames: ['refgrant'],
  categories: ['gateway-api'],
  namespaced: true,
  columns: [age],
  schema: objectOf({
    spec: z
      .object({
        from: z
          .array(z.object({ group, kind, namespace: namespaceName }))
          .min(1)
          .max(16),
        to: z
          .array(z.object({ group, kind, name: objectName.optional() }))
          .min(1)
          .max(16),
      })
      .optional(),
  }),
});

/** Gateway API (GEP-1713): further listeners of a Gateway. */
export const listenerSet = defineResource({
  group: 'gateway.networking.k8s.io',
  versions: ['v1'],
  kind: 'ListenerSet',
  plural: 'listenersets',
  singular: 'listenerset',
  shortNames: ['lset'],
  categories: ['gateway-api'],
  namespaced: true,
  subresources: { status: true },
  columns: [
    {
      name: 'Accepted',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Accepted")].status',
    },
    {
      name: 'Programmed',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Programmed")].status',
    },
    age,
  ],
  schema: objectOf({
    spec: z.object({
      parentRef: z.object({
        group: group.default('gateway.networking.k8s.io').optional(),
        kind: kind.default('Gateway').optional(),
        name: objectName,
        namespace: namespaceName.optional(),
      }),
      listeners: keyedList(listener, 'name').min(1).max(64).meta(listenerRules),
    }),
    status: z
      .object({ conditions: conditions.optional(), listeners: listenerStatuses })
      .default({ conditions: [pending('Accepted'), pending('Programmed')] })
      .optional(),
  }),
});

/** The TypeScript type of `gateway`. */
export type Gateway = z.infer<typeof gateway.schema>;
/** The TypeScript type of `gatewayClass`. */
export type GatewayClass = z.infer<typeof gatewayClass.schema>;
/** The TypeScript type of `referenceGrant`. */
export type ReferenceGrant = z.infer<typeof referenceGrant.schema>;
/** The TypeScript type of `listenerSet`. */
export type ListenerSet = z.infer<typeof listenerSet.schema>;
