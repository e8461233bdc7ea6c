/**
 * Objects in another version than the one that is stored. Versions of most kinds differ by name only (conversion strategy
 * None); events and autoscalers are stored in one form and shown in two.
 */
import type { ApiObject } from '../cluster-client.ts';
import { isObject, type JsonObject, listOr, objectOr } from '../json.ts';

interface Conversion {
  /** From the form that is stored. */
  shown(stored: JsonObject): JsonObject;
  /** To the form that is stored. What this version cannot say stays as it was. */
  stored(shown: JsonObject, before: JsonObject): JsonObject;
}

/** Names of fields in `v1` and in `events.k8s.io/v1`. */
const EVENT_FIELDS = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
] as const;

function renamed(object: JsonObject, names: readonly (readonly [string, string])[]): JsonObject {
  const others = new Map(names);
  return Object.fromEntries(
    Object.entries(object).map(([name, value]) => [others.get(name) ?? name, value]),
  );
}

const events: Conversion = {
  shown: (stored) => renamed(stored, EVENT_FIELDS),
  stored: (shown) =>
    renamed(
      shown,
      EVENT_FIELDS.map(([core, newer]) => [newer, core]),
    ),
};

const isCpuUtilization = (metric: unknown): boolean => {
  const resource = objectOr(objectOr(metric).resource);
  return resource.name === 'cpu' && isObject(resource.target ?? resource.current);
};

/** The percentage of the CPU's metric: `averageUtilization` of its target or of its current value. */
function utilization(metrics: unknown, of: 'target' | 'current'): unknown {
  const metric = listOr(metrics).find(isCpuUtilization);
  return objectOr(objectOr(objectOr(metric).resource)[of]).averageUtilization;
}

function cpuMetric(of: 'target' | 'current', averageUtilization: unknown): JsonObject {
  const value =
    of === 'target' ? { type: 'Utilization', averageUtilization } : { averageUtilization };
  return { type: 'Resource', resource: { name: 'cpu', [of]: value } };
}

/** The metrics with another percentage of the CPU; undefined takes it away. */
function withUtilization(
  metrics: unknown,
  of: 'target' | 'current',
  percentage: unknown,
): readonly unknown[] | undefined {
  const others = listOr(metrics).filter((metric) => !isCpuUtilization(metric));
  const all = percentage === undefined ? others : [cpuMetric(of, percentage), ...others];
  return all.length === 0 ? undefined : all;
}

/** `autoscaling/v1` knows one metric, the use of the CPU; stored is what `v2` says. */
const autoscalers: Conversion = {
  shown: (stored) => {
    const { metrics, behavior: _behavior, ...spec } = objectOr(stored.spec);
    const { currentMetrics, conditions: _conditions, ...status } = objectOr(stored.status);
    return {
      ...stored,
      spec: { ...spec, targetCPUUtilizationPercentage: utilization(metrics, 'target') },
      status: {
        ...status,
        currentCPUUtilizationPercentage: utilization(currentMetrics, 'current'),
      },
    };
  },
  stored: (shown, before) => {
    const { targetCPUUtilizationPercentage: target, ...spec } = objectOr(shown.spec);
    const { currentCPUUtilizationPercentage: current, ...status } = objectOr(shown.status);
    const { metrics, behavior } = objectOr(before.spec);
    const { currentMetrics, conditions } = objectOr(before.status);
    return {
      ...shown,
      spec: { ...spec, metrics: withUtilization(metrics, 'target', target), behavior },
      status: {
        ...status,
        currentMetrics: withUtilization(currentMetrics, 'current', current),
        conditions,
      },
    };
  },
};

/** By the collection and the version that is not the stored one. */
const conversions: Readonly<Record<string, Conversion>> = {
  '/events events.k8s.io/v1': events,
  'autoscaling/horizontalpodautoscalers autoscaling/v1': autoscalers,
};

/** A version of a collection. */
export interface Version {
  readonly collection: string;
  readonly apiVersion: string;
}

function tidied(object: JsonObject): JsonObject {
  return JSON.parse(JSON.stringify(object));
}

/** A stored object as a version shows it; itself where that is how it is stored. */
export function inVersion(version: Version, stored: ApiObject): ApiObject {
  const { collection, apiVersion } = version;
  const conversion = conversions[`${collection} ${apiVersion}`];
  if (conversion !== undefined) {
    return { ...tidied(conversion.shown({ ...stored })), apiVersion } as unknown as ApiObject;
  }
  return stored.apiVersion === apiVersion ? stored : { ...stored, apiVersion };
}

/** An object of a version as it is stored, in the place of what was there before. */
export function asStored(version: Version, object: ApiObject, before: ApiObject | null): ApiObject {
  const { collection, apiVersion } = version;
  const conversion = conversions[`${collection} ${apiVersion}`];
  if (conversion === undefined) return object;
  return tidied(
    conversion.stored({ ...object }, before === null ? {} : { ...before }),
  ) as unknown as ApiObject;
}

/** Events of both APIs are one collection. */
export function collectionOf(group: string, plural: string): string {
  return group === 'events.k8s.io' ? '/events' : `${group}/${plural}`;
}
