/** Which Telemetries hold for a proxy, from the widest to the narrowest (spec control-plane 11). */
import { hasLabels } from '@aquifer/model/kubernetes';
import type { Telemetry } from '@aquifer/model/resources';
import { isEmptyMap } from '../label-maps.ts';
import { byAge, namespaceOf } from '../object.ts';
import { sourceKey } from '../service-collections.ts';

/** Of whom a proxy speaks. */
export interface TelemetrySubject {
  readonly namespace: string;
  /** Selectors look at them; null for a waypoint, which none reaches. */
  readonly labels: Readonly<Record<string, string>> | null;
  /** What it stands for, as `telemetryTargets` names it, from the widest to the narrowest. */
  readonly targets: readonly string[];
}

/** Of a namespace, all Telemetries; at a target, as `telemetryTargets` names it. */
export interface TelemetrySource {
  inNamespace(namespace: string): readonly Telemetry[];
  atTarget(target: string): readonly Telemetry[];
}

/** That of the mesh, that of the namespace, then those that select it, then those with it as a target. */
export function applicableTelemetries(
  { namespace, labels, targets }: TelemetrySubject,
  source: TelemetrySource,
  rootNamespace: string,
): readonly Telemetry[] {
  const wide = [...new Set([rootNamespace, namespace])].flatMap((each) => {
    const [oldest] = source.inNamespace(each).filter(isWide).toSorted(byAge);
    return oldest === undefined ? [] : [oldest];
  });
  const selecting = labels === null ? [] : source.inNamespace(namespace).filter(selects(labels));
  const attached = targets.flatMap((target) => source.atTarget(target).toSorted(byAge));
  return [...wide, ...selecting.toSorted(byAge), ...new Set(attached)];
}

/** What it is attached to: `<kind>/<namespace>/<name>`; also of a GatewayClass, which has no namespace, its own. */
export function telemetryTargets(telemetry: Telemetry): string[] {
  return targetsOf(telemetry).map(({ kind, name }) =>
    sourceKey(kind, namespaceOf(telemetry), name),
  );
}

type TargetRef = NonNullable<NonNullable<Telemetry['spec']>['targetRefs']>[number];

export function targetsOf({ spec = {} }: Telemetry): readonly TargetRef[] {
  const { targetRef, targetRefs = [] } = spec;
  return targetRef === undefined ? targetRefs : [targetRef, ...targetRefs];
}

export function selectorOf({ spec = {} }: Telemetry): Readonly<Record<string, string>> {
  return spec.selector?.matchLabels ?? {};
}

/** For everybody in its namespace. */
export function isWide(telemetry: Telemetry): boolean {
  return isEmptyMap(selectorOf(telemetry)) && targetsOf(telemetry).length === 0;
}

function selects(labels: Readonly<Record<string, string>>) {
  return (telemetry: Telemetry): boolean => {
    const wanted = selectorOf(telemetry);
    return !isEmptyMap(wanted) && hasLabels(wanted, labels);
  };
}
