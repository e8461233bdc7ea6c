/** Which endpoints a client prefers for where it and they are (spec l7 2.3, recording l7/18). */
import type { Locality } from '@aquifer/model';
import type { WorkloadResource } from '../../resource.ts';
import type { TrafficPolicy } from '../../traffic/traffic-policy.ts';
import { type Arrange, type LocalityGroup, weightOf } from '../endpoints.ts';

/** Where a client is, and the labels that it may be asked for. */
export interface ClientPlace {
  readonly locality: Locality;
  readonly labels: Readonly<Record<string, string>>;
}

type Settings = NonNullable<NonNullable<TrafficPolicy['loadBalancer']>['localityLbSetting']>;

/** Null if the policy treats all places alike: failing over needs something that tells what has failed. */
export function localitySettings(policy: TrafficPolicy | null): Settings | null {
  const settings = policy?.loadBalancer?.localityLbSetting ?? {};
  if (settings.enabled === false) return null;
  const isFailover = policy?.outlierDetection !== undefined;
  return isFailover || settings.distribute !== undefined ? settings : null;
}

export function arrangement(settings: Settings, client: ClientPlace): Arrange {
  const { distribute, failoverPriority, failover = [] } = settings;
  if (distribute !== undefined) {
    const rule = distribute.find(({ from = '' }) => isIn(client.locality, from));
    return rule === undefined ? (groups) => groups : (groups) => distributed(groups, rule.to ?? {});
  }
  if (failoverPriority !== undefined && failoverPriority.length > 0) {
    return (groups) =>
      inOrder(groups.flatMap((group) => byLabels(group, failoverPriority, client)));
  }
  const target = failover.find(({ from }) => from === client.locality.region)?.to;
  return (groups) =>
    inOrder(
      groups.map((group) => ({ ...group, priority: distance(client.locality, group, target) })),
    );
}

/** `region/zone/subzone`, of which `*` and what is left out stand for any. */
function isIn({ region, zone, subzone }: Locality, pattern: string): boolean {
  const [wantedRegion = '', wantedZone = '', wantedSubzone = ''] = pattern.split('/');
  const holds = (wanted: string, has: string): boolean =>
    wanted === '*' || wanted === '' || wanted === has;
  return (
    (wantedRegion === '*' || wantedRegion === region) &&
    holds(wantedZone, zone) &&
    holds(wantedSubzone, subzone)
  );
}

/** Places that get nothing keep their entry, without endpoints. */
function distributed(
  groups: readonly LocalityGroup[],
  to: Readonly<Record<string, number>>,
): readonly LocalityGroup[] {
  const result: LocalityGroup[] = groups.map((group) => ({ ...group, workloads: [] }));
  const left = new Set(groups.keys());
  for (const [pattern, weight] of Object.entries(to)) {
    const meant = [...left].filter((index) => isIn(groups[index]!.locality, pattern));
    const total = meant.reduce((sum, index) => sum + groups[index]!.weight, 0);
    for (const index of meant) {
      left.delete(index);
      const group = groups[index]!;
      const share = Math.ceil((group.weight * weight) / total);
      result[index] = share > 0 ? { ...group, weight: share } : group;
    }
  }
  return result;
}

const OTHER_REGION = 3;

/** The same subzone, zone and region before others; of other regions the one that is named before the others. */
function distance(
  client: Locality,
  { locality }: LocalityGroup,
  target: string | undefined,
): number {
  if (client.region === locality.region) {
    if (client.zone !== locality.zone) return 2;
    return client.subzone === locality.subzone ? 0 : 1;
  }
  return target === undefined || target === locality.region ? OTHER_REGION : OTHER_REGION + 1;
}

/** Endpoints that share the first labels with the client before those that share fewer. */
function byLabels(
  group: LocalityGroup,
  wanted: readonly string[],
  client: ClientPlace,
): LocalityGroup[] {
  const byPriority = new Map<number, WorkloadResource[]>();
  for (const workload of group.workloads) {
    const differing = wanted.findIndex((label) => {
      const [name = '', value = labelOf(name, client)] = label.split('=');
      return labelOf(name, placeOf(workload)) !== value;
    });
    const priority = differing < 0 ? 0 : wanted.length - differing;
    const same = byPriority.get(priority) ?? [];
    byPriority.set(priority, same);
    same.push(workload);
  }
  const priorities = [...byPriority.keys()].toSorted((a, b) => a - b);
  return priorities.map((priority) => {
    const workloads = byPriority.get(priority)!;
    return { ...group, workloads, weight: weightOf(workloads), priority };
  });
}

function placeOf({ value, traits }: WorkloadResource): ClientPlace {
  const locality = value.locality ?? { region: '', zone: '', subzone: '' };
  return { locality, labels: traits.labels };
}

/** Labels that say where something is are those of its node. */
function labelOf(name: string, { locality, labels }: ClientPlace): string {
  switch (name) {
    case 'topology.kubernetes.io/region':
      return locality.region;
    case 'topology.kubernetes.io/zone':
      return locality.zone;
    case 'topology.istio.io/subzone':
      return locality.subzone;
    default:
      return labels[name] ?? '';
  }
}

/** Priorities without gaps, as Envoy wants them. */
function inOrder(groups: readonly LocalityGroup[]): readonly LocalityGroup[] {
  const ranks = [...new Set(groups.map(({ priority }) => priority))].toSorted((a, b) => a - b);
  return groups.map((group) => ({ ...group, priority: ranks.indexOf(group.priority) }));
}
