import { z } from 'zod';
import { portNumber, rules } from '../field-types.ts';
import { condition } from '../meta.ts';

/** An API group; empty is the core group. */
export const group = z.string().max(253);
/** The kind of a referent. */
export const kind = z.string().min(1).max(63);
/** The name of a referent. */
export const objectName = z.string().min(1).max(253);
/** The namespace of a referent. Default: the referrer's own. */
export const namespaceName = z.string().min(1).max(63);
/** A listener, rule or port, by name. */
export const sectionName = z.string().min(1).max(253);
/** A DNS name; `*.` as first label matches one or more labels. */
export const hostname = z
  .string()
  .min(1)
  .max(253)
  .regex(/^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);

/** Gateway API durations (GEP-2257): `1h30m`, `500ms`; at most five digits a unit. */
export const duration = z.string().regex(/^([0-9]{1,5}(h|m|s|ms)){1,4}$/);

/** The parent a route attaches to: a Gateway, a ListenerSet, a Service or a ServiceEntry. */
export const parentReference = z.object({
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

/** A backend that is a Service needs a port. */
export const servicePort = rules([
  'Must have port for Service reference',
  "(size(self.group) == 0 && self.kind == 'Service') ? has(self.port) : true",
]);

const MAX_RULES = 16;

const matchesOfRules = Array.from(
  { length: MAX_RULES },
  (_, i) => `(self.size() > ${i} && has(self[${i}].matches) ? self[${i}].matches.size() : 0)`,
).join(' + ');

/** What a list of rules may not hold. */
export const listOfRules = rules(
  [
    'While 16 rules and 64 matches per rule are allowed, the total number of matches across all rules in a route must be less than 128',
    `${matchesOfRules} <= 128`,
  ],
  [
    'Rule name must be unique within the route',
    'self.all(l1, !has(l1.name) || self.exists_one(l2, has(l2.name) && l1.name == l2.name))',
  ],
);

/** A backend with its share of the traffic: `weight` of the sum of weights, default 1. */
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

/** What each parent made of a route. */
export const routeStatus = z.object({ parents: z.array(routeParentStatus) });

/** What a route attaches to, at most 32. */
export const parentRefs = z.array(parentReference).max(32).optional();

/** Columns of routes in `kubectl get`. */
export const routeColumns = {
  hostnames: { name: 'Hostnames', type: 'string', jsonPath: '.spec.hostnames' },
  age: { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
} as const;

/** A referent in the same namespace. */
export const localObjectReference = z.object({ group, kind, name: objectName });

/** The TypeScript type of `parentReference`. */
export type ParentReference = z.infer<typeof parentReference>;
/** The TypeScript type of `routeParentStatus`. */
export type RouteParentStatus = z.infer<typeof routeParentStatus>;
