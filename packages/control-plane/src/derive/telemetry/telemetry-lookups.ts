/** What is told by whom, found in the cluster. */
import type { Telemetry } from '@aquifer/model/resources';
import type { Context } from '../../collections/cell.ts';
import type { Graph } from '../../collections/graph.ts';
import type { ClusterInputs } from '../../ingest/cluster-inputs.ts';
import type { ObjectRef } from '../../ingest/kinds.ts';
import type { MeshCollections } from '../mesh-collections.ts';
import { settingsIn } from '../mesh-settings.ts';
import { namespaceOf, refTo } from '../object.ts';
import {
  applicableTelemetries,
  type TelemetrySource,
  type TelemetrySubject,
  telemetryTargets,
} from './applicable.ts';
import { type ProxyTelemetry, proxyTelemetry, type SpanMaker } from './proxy-telemetry.ts';
import type { Side } from './side.ts';
import type { ProviderService } from './telemetry-providers.ts';

/** A proxy, as far as Telemetries tell it from others. */
export interface Teller extends TelemetrySubject, Pick<SpanMaker, 'role'> {
  readonly side: Side;
  /** Of the proxy itself. */
  readonly canonical: Pick<SpanMaker, 'canonicalService' | 'canonicalRevision'>;
  /** As the proxy says; empty for what the mesh's configuration says. */
  readonly meshId: string;
}

export interface FoundTelemetry {
  readonly telemetry: ProxyTelemetry;
  /** The Telemetries that it comes from. */
  readonly telemetrySources: readonly ObjectRef[];
}

export type TelemetryOf = (teller: Teller, context: Context) => FoundTelemetry;

export function telemetryLookups(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
): TelemetryOf {
  const byNamespace = graph.index('Telemetries by namespace', cluster.of('Telemetry'), (one) => [
    namespaceOf(one),
  ]);
  const byTarget = graph.index('Telemetries by target', cluster.of('Telemetry'), telemetryTargets);
  return (teller, context) => {
    const settings = settingsIn(mesh, context);
    const source: TelemetrySource = {
      inNamespace: (namespace) => context.lookup(byNamespace, namespace),
      atTarget: (target) => context.lookup(byTarget, target),
    };
    const found = applicableTelemetries(teller, source, settings.rootNamespace);
    const { role, namespace, canonical, side } = teller;
    const maker: SpanMaker = {
      role,
      namespace,
      ...canonical,
      clusterId: settings.clusterId,
      meshId: teller.meshId || settings.telemetry.meshId,
    };
    const telemetry = proxyTelemetry(found, {
      side,
      maker,
      mesh: settings.telemetry,
      providers: settings.extensionProviders,
      isKnown: (service) => isKnown(service, mesh, context),
    });
    return { telemetry, telemetrySources: found.map(refTo) };
  };
}

/** Of a host without a namespace there must be one service only. */
export function isKnown(
  { namespace, hostname }: ProviderService,
  mesh: Pick<MeshCollections, 'meshServicesByHostname'>,
  context: Context,
): boolean {
  const found = context.lookup(mesh.meshServicesByHostname, hostname);
  if (namespace !== null) return found.some((service) => namespaceOf(service) === namespace);
  return new Set(found.map(namespaceOf)).size === 1;
}

/** Labels that say which service a workload is of, by itself. */
export const CANONICAL_LABELS = {
  canonicalService: 'service.istio.io/canonical-name',
  canonicalRevision: 'service.istio.io/canonical-revision',
} as const;

/** Empty where a workload does not say. */
export function canonicalOf(labels: Readonly<Record<string, string>>): Teller['canonical'] {
  return {
    canonicalService: labels[CANONICAL_LABELS.canonicalService] ?? '',
    canonicalRevision: labels[CANONICAL_LABELS.canonicalRevision] ?? '',
  };
}

/** Whether spans may be made because of them: else nobody looks at who makes them. */
export function asksForSpans(telemetries: readonly Telemetry[]): boolean {
  return telemetries.some(({ spec }) => (spec?.tracing ?? []).length > 0);
}
