/** The second, weighted waypoint of a service (spec control-plane 2.7, canary). */
import type { WeightedWaypoint } from '@aquifer/model';
import type { Namespace } from '@aquifer/model/resources';
import {
  CANARY_WEIGHT_ANNOTATION,
  USE_WAYPOINT_CANARY_LABEL,
  USE_WAYPOINT_CANARY_NAMESPACE_LABEL,
  USE_WAYPOINT_LABEL,
} from './labels.ts';
import { annotationsOf, type LabelledObject, labelsOf, namespaceOf } from './object.ts';
import { attach, type Waypoint, type Waypoints } from './waypoints.ts';

/** `message` completes the condition of the primary, which stays bound whatever becomes of the canary. */
export type CanaryBinding =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'bound';
      readonly canary: Waypoint;
      readonly weightedWaypoints: readonly WeightedWaypoint[];
    }
  | { readonly kind: 'error'; readonly message: string };

/** The namespace is asked only if the service inherits its primary waypoint from it. */
export function bindCanary(
  service: LabelledObject,
  namespace: Namespace | undefined,
  primary: Waypoint,
  waypoints: Waypoints,
): CanaryBinding {
  const inherits = labelsOf(service)[USE_WAYPOINT_LABEL] === undefined;
  const levels: (LabelledObject | undefined)[] = inherits ? [service, namespace] : [service];
  const reference = canaryReference(levels, namespaceOf(service));
  if (reference === null) return { kind: 'none' };
  if (reference === `${primary.namespace}/${primary.name}`) {
    return {
      kind: 'error',
      message: `canary waypoint "${reference}" must differ from the primary waypoint`,
    };
  }
  const weight = canaryWeight(levels);
  if (weight === null) {
    return {
      kind: 'error',
      message: `canary waypoint "${reference}" has an invalid weight; must be an integer in [0,100]`,
    };
  }
  const from = { namespace: namespaceOf(service), labels: labelsOf(namespace) };
  const canary = attach(reference, from, waypoints, 'service');
  if (canary.kind === 'error') return { kind: 'error', message: canary.error.message };
  if (canary.kind === 'none') return canary;
  const first = primary.address;
  const second = canary.waypoint.address;
  if (first === null || second === null) return { kind: 'none' };
  return {
    kind: 'bound',
    canary: canary.waypoint,
    weightedWaypoints: [
      { destination: first, weight: 100 - weight },
      { destination: second, weight },
    ],
  };
}

function canaryReference(
  levels: readonly (LabelledObject | undefined)[],
  fallbackNamespace: string,
): string | null {
  for (const level of levels) {
    const labels = labelsOf(level);
    const name = labels[USE_WAYPOINT_CANARY_LABEL];
    if (name === undefined) continue;
    if (name === '' || name === 'none') return null;
    return `${labels[USE_WAYPOINT_CANARY_NAMESPACE_LABEL] ?? fallbackNamespace}/${name}`;
  }
  return null;
}

/** Percent; 0 without an annotation, null when it is no whole number from 0 to 100. */
function canaryWeight(levels: readonly (LabelledObject | undefined)[]): number | null {
  for (const level of levels) {
    const text = annotationsOf(level)[CANARY_WEIGHT_ANNOTATION];
    if (text === undefined) continue;
    const weight = /^[+-]?\d+$/.test(text) ? Number(text) : -1;
    return weight >= 0 && weight <= 100 ? weight : null;
  }
  return 0;
}
