/** What a waypoint cannot do of a DestinationRule: it is said, never just left out. */
import type { DestinationRule, DestinationRulePolicy } from '@aquifer/model/resources';
import { isEmptyMap } from '../label-maps.ts';

/** One sentence for each problem, which begins with the field. */
export function destinationRuleProblems({ spec }: DestinationRule): readonly string[] {
  if (spec === undefined) return [];
  const { workloadSelector, trafficPolicy, subsets = [] } = spec;
  if (!isEmptyMap(workloadSelector?.matchLabels ?? {})) {
    return ['workloadSelector: rules for chosen clients are not followed at a waypoint'];
  }
  return [
    ...policyProblems(trafficPolicy, 'trafficPolicy'),
    ...subsets.flatMap((subset, index) =>
      policyProblems(subset.trafficPolicy, `subsets[${index}].trafficPolicy`),
    ),
  ];
}

type PortPolicy = NonNullable<DestinationRulePolicy['portLevelSettings']>[number];

function policyProblems(policy: DestinationRulePolicy | undefined, path: string): string[] {
  if (policy === undefined) return [];
  const { tunnel, proxyProtocol, portLevelSettings = [] } = policy;
  return [
    ...(tunnel === undefined ? [] : [`${path}.tunnel: is not followed at a waypoint`]),
    ...(proxyProtocol === undefined
      ? []
      : [`${path}.proxyProtocol: waypoints of this mesh write no PROXY header and refuse it`]),
    ...commonProblems(policy, path),
    ...portLevelSettings.flatMap((settings, index) =>
      commonProblems(settings, `${path}.portLevelSettings[${index}]`),
    ),
  ];
}

function commonProblems({ tls, loadBalancer }: PortPolicy, path: string): string[] {
  const { localityLbSetting } = loadBalancer ?? {};
  const { credentialName = '', caCrl = '' } = tls ?? {};
  return [
    ...(localityLbSetting === undefined
      ? []
      : [`${path}.loadBalancer.localityLbSetting: endpoints of all localities are used alike`]),
    ...(credentialName === ''
      ? []
      : [`${path}.tls.credentialName: waypoints get no Secrets; name files instead`]),
    ...(caCrl === '' ? [] : [`${path}.tls.caCrl: certificates are not looked up in it`]),
  ];
}
