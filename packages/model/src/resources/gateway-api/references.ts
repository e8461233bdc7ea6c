import { z } from 'zod';
import { portNumber } from '../field-types.ts';
import { condition } from '../meta.ts';

export const group = z.string().max(253);
export const kind = z.string().min(1).max(63);
export const objectName = z.string().min(1).max(253);
export const namespaceName = z.string().min(1).max(63);
export const sectionName = z.string().min(1).max(253);
export const hostname = z
  .string()
  .min(1)
  .max(253)
  .regex(/^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);

/** Gateway API durations (GEP-2257): `1h30m`, `500ms`; at most five digits a unit. */
export const duration = z.string().regex(/^([0-9]{1,5}(h|m|s|ms)){1,4}$/);

/** The parent a route attaches to: a Gateway, a ListenerSet, a Service or a ServiceEntry. */
const parentReference = z.object({
  group: group.default('gateway.networking.k8s.io').optional(),
  kind: kind.default('Gateway').optional(),
  namespace: namespaceName.optional(),
  name: objectName,
  sectionName: sectionName.optional(),
  port: portNumber.optional(),
});

/** Where a route sends requests: a Service unless group and kind say otherwise. */
export const backendObjectReference = z.object({
  group: group.default('').optional(),
  kind: kind.default('Service').optional(),
  name: objectName,
  namespace: namespaceName.optional(),
  port: portNumber.optional().describe('Required when the referent is a Service.'),
});

export const backendRefFields = {
  ...backendObjectReference.shape,
  weight: z.int32().min(0).max(1_000_000).default(1).optional(),
};

const routeParentStatus = z.object({
  parentRef: parentReference,
  controllerName: z.string(),
  conditions: z
    .array(condition)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
    .optional(),
});

export const routeStatus = z.object({ parents: z.array(routeParentStatus) });

export const parentRefs = z.array(parentReference).max(32).optional();

export const routeColumns = {
  hostnames: { name: 'Hostnames', type: 'string', jsonPath: '.spec.hostnames' },
  age: { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
} as const;

export const localObjectReference = z.object({ group, kind, name: objectName });

export type ParentReference = z.infer<typeof parentReference>;
export type RouteParentStatus = z.infer<typeof routeParentStatus>;
