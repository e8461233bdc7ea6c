/**
 * With `PILOT_AUTO_ALLOW_WAYPOINT_POLICY` what a waypoint stands before lets the waypoint in, and whoever else its own
 * policies let in (spec control-plane 2.11): one policy for each waypoint, listed by the workloads behind it.
 */
import { type Authorization, EMPTY_MATCH } from '@aquifer/model';
import type { Context } from '../collections/cell.ts';
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import type { ClusterInputs } from '../ingest/cluster-inputs.ts';
import { GATEWAY_NAME_LABEL } from './labels.ts';
import { meshServiceKey } from './mesh-service.ts';
import { type SettingsCollections, settingsIn } from './mesh-settings.ts';
import { labelsOf, namespaceOf, refTo } from './object.ts';
import {
  authorizationResource,
  isSameResource,
  isSameWorkload,
  type Resource,
  type WorkloadResource,
  workloadResource,
} from './resource.ts';
import type { ServiceCollections } from './service-collections.ts';
import { addressKey, type Waypoint } from './waypoints.ts';

interface AllowanceInputs {
  readonly graph: Graph;
  readonly cluster: ClusterInputs;
  readonly mesh: SettingsCollections;
  readonly waypoints: Collection<Waypoint>;
  readonly services: ServiceCollections;
}

/** What node proxies are told, with a policy for each waypoint, and the workloads that list it. */
export function withAllowances(
  inputs: AllowanceInputs,
  workloads: Collection<WorkloadResource>,
  authorizations: Collection<Resource<Authorization>>,
): {
  readonly workloads: Collection<WorkloadResource>;
  readonly authorizations: Collection<Resource<Authorization>>;
} {
  const made = allowances(inputs);
  return {
    workloads: lettingIn(inputs, workloads, made),
    authorizations: inputs.graph.union(
      'authorizations with those of waypoints',
      authorizations,
      made,
    ),
  };
}

function policyName({ namespace, name }: Pick<Waypoint, 'namespace' | 'name'>): string {
  return `istio_allow_waypoint_${namespace}_${name}`;
}

/** Of waypoints that have pods; those of no account let nobody in. */
function allowances({
  graph,
  cluster,
  mesh,
  waypoints,
}: AllowanceInputs): Collection<Resource<Authorization>> {
  const instances = graph.index('pods of waypoints', cluster.of('Pod'), (pod) => {
    const name = labelsOf(pod)[GATEWAY_NAME_LABEL];
    return name === undefined ? [] : [`${namespaceOf(pod)}/${name}`];
  });
  return graph.flatMap(
    'policies that let waypoints in',
    waypoints,
    (waypoint, context, key) => {
      const pods = context.lookup(instances, key);
      const accounts = new Set(pods.map(({ spec }) => spec?.serviceAccountName || 'default'));
      if (accounts.size === 0) return [];
      const { namespace, source } = waypoint;
      const { trustDomain } = settingsIn(mesh, context);
      const principals = [...accounts].toSorted().map((account) => ({
        kind: 'exact' as const,
        value: `${trustDomain}/ns/${namespace}/sa/${account}`,
      }));
      const policy: Authorization = {
        name: policyName(waypoint),
        namespace,
        scope: 'workload-selector',
        action: 'allow',
        groups: [[[{ ...EMPTY_MATCH, principals }]]],
        dryRun: false,
      };
      const resource = authorizationResource(policy, [source, ...pods.map(refTo)]);
      return [[resource.name, resource]];
    },
    isSameResource,
  );
}

/** The workloads, each with the policies of the waypoints before it and before its services. */
function lettingIn(
  { graph, mesh, waypoints, services }: AllowanceInputs,
  workloads: Collection<WorkloadResource>,
  made: Collection<Resource<Authorization>>,
): Collection<WorkloadResource> {
  const byAddress = graph.index('waypoints by address', waypoints, ({ address }) =>
    address === null ? [] : [addressKey(address)],
  );
  const waypointsOf = ({ value }: WorkloadResource, context: Context): Waypoint[] => {
    const own =
      value.waypoint === null ? [] : context.lookup(byAddress, addressKey(value.waypoint));
    const settings = settingsIn(mesh, context);
    const ofServices = [...value.services.keys()].flatMap((service) => {
      const slash = service.indexOf('/');
      const key = meshServiceKey(settings, service.slice(0, slash), service.slice(slash + 1));
      return context.get(services.services, key)?.waypoints ?? [];
    });
    return [...own, ...ofServices.flatMap((key) => context.get(waypoints, key) ?? [])];
  };
  return graph.map(
    'workloads that let waypoints in',
    workloads,
    (workload, context) => {
      const names = waypointsOf(workload, context)
        .map((waypoint) => `${waypoint.namespace}/${policyName(waypoint)}`)
        .filter((name) => context.get(made, name) !== undefined);
      if (names.length === 0) return workload;
      const { value, sources, traits } = workload;
      const listed = new Set([...value.authorizationPolicies, ...names.toSorted()]);
      const more = { ...value, authorizationPolicies: [...listed] };
      return workloadResource(more, sources, traits);
    },
    isSameWorkload,
  );
}
