/** Which DestinationRules hold for a service, as somebody in a namespace sees it (spec l7 2.1, recording l7/16). */
import type { DestinationRule } from '@aquifer/model/resources';
import { isEmptyMap } from '../label-maps.ts';
import type { MeshSettings } from '../mesh.ts';
import { byAge, namespaceOf, refTo } from '../object.ts';
import { isExportedTo } from '../routing/exports.ts';
import { fullHostname, hostCovers } from '../routing/hosts.ts';
import type { DestinationPolicy, Subset } from './traffic-policy.ts';

/** Who connects. */
export interface TrafficSource {
  readonly namespace: string;
  /** Of its workload; null where rules for chosen workloads hold for nobody. */
  readonly labels: Readonly<Record<string, string>> | null;
}

export interface RuledService {
  readonly hostname: string;
  readonly namespace: string;
}

type Names = Pick<MeshSettings, 'clusterDomain' | 'rootNamespace'>;

/** The host of a rule, by its whole name. */
export function ruledHost(
  rule: DestinationRule,
  mesh: Pick<MeshSettings, 'clusterDomain'>,
): string {
  return fullHostname(rule.spec?.host ?? '', namespaceOf(rule), mesh);
}

/** The namespaces whose rules are asked, one after the other: the client's, the service's, and the root. */
export function ruleNamespaces(
  client: Pick<TrafficSource, 'namespace'>,
  service: Pick<RuledService, 'namespace'>,
  { rootNamespace }: Pick<MeshSettings, 'rootNamespace'>,
): string[] {
  const own = client.namespace === rootNamespace ? [] : [client.namespace];
  return [...new Set([...own, service.namespace, rootNamespace])];
}

/** Of the first namespace that says anything of the host, the rules of the closest host; null without any. */
export function destinationPolicy(
  rules: readonly DestinationRule[],
  client: TrafficSource,
  service: RuledService,
  mesh: Names,
): DestinationPolicy | null {
  const visible = rules.filter(
    (rule) => hostCovers(ruledHost(rule, mesh), service.hostname) && isVisible(rule, client, mesh),
  );
  for (const namespace of ruleNamespaces(client, service, mesh)) {
    const own = visible.filter((rule) => namespaceOf(rule) === namespace);
    const closest = closestHost(own.map((rule) => ruledHost(rule, mesh)));
    const found = own.filter((rule) => ruledHost(rule, mesh) === closest).toSorted(byAge);
    const chosen = forClient(found, client);
    if (chosen !== null) return merged(chosen);
  }
  return null;
}

/** Rules of the client's own namespace always are, but for the root, whose rules are for everybody. */
function isVisible(
  rule: DestinationRule,
  client: TrafficSource,
  { rootNamespace }: Names,
): boolean {
  const namespace = namespaceOf(rule);
  if (namespace === client.namespace && namespace !== rootNamespace) return true;
  return isExportedTo(rule, client.namespace);
}

/** A whole name before a pattern, a long pattern before a short one. */
function closestHost(hosts: readonly string[]): string | undefined {
  const rank = (host: string): number =>
    host.startsWith('*') ? host.length : Number.POSITIVE_INFINITY;
  return hosts.toSorted((a, b) => (rank(a) === rank(b) ? 0 : rank(b) - rank(a)))[0];
}

/** A rule that chooses the client stands alone; the others are for whom none does. */
function forClient(
  rules: readonly DestinationRule[],
  { labels }: TrafficSource,
): readonly [DestinationRule, ...DestinationRule[]] | null {
  const selectorOf = ({ spec }: DestinationRule) => spec?.workloadSelector?.matchLabels ?? {};
  const choosing = rules.find((rule) => {
    const selector = Object.entries(selectorOf(rule));
    return (
      labels !== null &&
      selector.length > 0 &&
      selector.every(([key, value]) => labels[key] === value)
    );
  });
  if (choosing !== undefined) return [choosing];
  const [first, ...others] = rules.filter((rule) => isEmptyMap(selectorOf(rule)));
  return first === undefined ? null : [first, ...others];
}

/** The first policy counts, and the first subset of each name. */
function merged(rules: readonly [DestinationRule, ...DestinationRule[]]): DestinationPolicy {
  const subsets = new Map<string, Subset>();
  for (const { spec } of rules) {
    for (const { name, labels = {}, trafficPolicy = null } of spec?.subsets ?? []) {
      if (!subsets.has(name)) subsets.set(name, { name, labels, policy: trafficPolicy });
    }
  }
  const [first, ...others] = rules;
  const policy = rules.find(({ spec }) => spec?.trafficPolicy !== undefined)?.spec?.trafficPolicy;
  return {
    sources: [refTo(first), ...others.map(refTo)],
    policy: policy ?? null,
    subsets,
  };
}
