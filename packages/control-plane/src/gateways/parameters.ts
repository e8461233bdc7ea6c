/** Which ConfigMaps lay over what a Gateway becomes: defaults of its class, then its own (spec control-plane 5.2). */
import type { ConfigMap, Gateway, GatewayClass } from '@aquifer/model/resources';
import type { Context } from '../collections/cell.ts';
import type { Collection, Index } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import type { Derivation } from '../derive/derivation.ts';
import { isRunHere } from '../derive/gateway-api/gateway-services.ts';
import { byAge, labelsOf, namespaceOf } from '../derive/object.ts';
import { type ClusterInputs, objectKey } from '../ingest/cluster-inputs.ts';
import { CLASS_DEFAULTS_LABEL } from '../ingest/kinds.ts';
import type { MapName, ReferredMap } from '../ingest/referred-maps.ts';
import { type Overlay, type ReadOverlay, readOverlay } from './overlay.ts';

/** What is to be laid over the objects of a Gateway, the last one uppermost. */
export type Parameters =
  | { readonly kind: 'usable'; readonly overlays: readonly Overlay[] }
  | { readonly kind: 'unusable'; readonly problem: string }
  /** A ConfigMap has not been looked up yet: nothing is known. */
  | { readonly kind: 'pending' };

export interface ParameterCollections {
  /** ConfigMaps that Gateways and classes refer to, by key, with what became of the look-up. */
  readonly referred: Collection<ReferredMap>;
  readonly overlays: Collection<ReadOverlay>;
  /** ConfigMaps with defaults, by the class that their label names. */
  readonly defaults: Index<ConfigMap>;
  readonly defaultOverlays: Collection<ReadOverlay>;
}

export function parameterCollections(
  graph: Graph,
  { cluster, referredMaps: referred }: Pick<Derivation, 'cluster' | 'referredMaps'>,
): ParameterCollections {
  const defaults = cluster.of('GatewayClassDefaults');
  return {
    referred,
    overlays: graph.map('overlays of Gateways', referred, (found) =>
      found.kind === 'found' ? readOverlay(found.map) : null,
    ),
    defaults: graph.index('defaults by class', defaults, (map) => [
      labelsOf(map)[CLASS_DEFAULTS_LABEL] ?? '',
    ]),
    defaultOverlays: graph.map('overlays of classes', defaults, readOverlay),
  };
}

/** `gatewayClass` is that of the Gateway. */
export function parametersOf(
  gateway: Gateway,
  gatewayClass: GatewayClass,
  collections: ParameterCollections,
  context: Context,
): Parameters {
  const ofClass = classParameters(gatewayClass, collections, context);
  if (ofClass.kind !== 'usable') return ofClass;
  const reference = gateway.spec.infrastructure?.parametersRef;
  if (reference === undefined) return ofClass;
  const own = referredParameters(
    { ...reference, namespace: namespaceOf(gateway) },
    'infrastructure.parametersRef',
    collections,
    context,
  );
  if (own.kind !== 'usable') return own;
  return { kind: 'usable', overlays: [...ofClass.overlays, ...own.overlays] };
}

/** Of several ConfigMaps with the label the oldest counts; what the class itself names lies over it. */
export function classParameters(
  gatewayClass: GatewayClass,
  collections: ParameterCollections,
  context: Context,
): Parameters {
  const labelled = labelledParameters(gatewayClass, collections, context);
  const reference = gatewayClass.spec.parametersRef;
  if (labelled.kind !== 'usable' || reference === undefined) return labelled;
  const own = referredParameters(reference, 'parametersRef of the class', collections, context);
  if (own.kind !== 'usable') return own;
  return { kind: 'usable', overlays: [...labelled.overlays, ...own.overlays] };
}

function labelledParameters(
  { metadata }: GatewayClass,
  { defaults, defaultOverlays }: ParameterCollections,
  context: Context,
): Parameters {
  const [oldest] = context.lookup(defaults, metadata.name ?? '').toSorted(byAge);
  if (oldest === undefined) return { kind: 'usable', overlays: [] };
  const { name = '', namespace = '' } = oldest.metadata;
  return parametersIn(context.get(defaultOverlays, objectKey(namespace, name)));
}

interface Reference {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string | undefined;
}

function referredParameters(
  { group, kind, name, namespace }: Reference,
  field: string,
  { referred, overlays }: ParameterCollections,
  context: Context,
): Parameters {
  if (group !== '' || kind !== 'ConfigMap') {
    const named = group === '' ? kind : `${kind} of ${group}`;
    return { kind: 'unusable', problem: `${field}: ${named} is not read, only ConfigMap is` };
  }
  if (namespace === undefined) {
    return {
      kind: 'unusable',
      problem: `${field}: a ConfigMap has a namespace, but none is named`,
    };
  }
  const key = objectKey(namespace, name);
  const found = context.get(referred, key);
  if (found === undefined) return { kind: 'pending' };
  if (found.kind === 'missing') {
    return { kind: 'unusable', problem: `${field}: ConfigMap "${key}" not found` };
  }
  return parametersIn(context.get(overlays, key));
}

function parametersIn(read: ReadOverlay | undefined): Parameters {
  if (read === undefined) return { kind: 'pending' };
  return read.ok
    ? { kind: 'usable', overlays: [read.value] }
    : { kind: 'unusable', problem: read.error };
}

/** The ConfigMaps that must be looked up: those of Gateways and classes that are handled here. */
export function wantedMaps(graph: Graph, cluster: ClusterInputs): Collection<MapName> {
  return graph.union(
    'ConfigMaps to look up',
    graph.flatMap('ConfigMaps of Gateways', cluster.of('Gateway'), (gateway, context) => {
      const { infrastructure, gatewayClassName } = gateway.spec;
      const ofGateway = context.get(cluster.of('GatewayClass'), objectKey('', gatewayClassName));
      const reference = infrastructure?.parametersRef;
      if (ofGateway === undefined || reference === undefined) return [];
      if (!isRunHere(ofGateway)) return [];
      return namedMaps({ ...reference, namespace: namespaceOf(gateway) });
    }),
    graph.flatMap('ConfigMaps of classes', cluster.of('GatewayClass'), (gatewayClass) => {
      const { parametersRef } = gatewayClass.spec;
      return isRunHere(gatewayClass) && parametersRef !== undefined ? namedMaps(parametersRef) : [];
    }),
  );
}

function namedMaps({ group, kind, name, namespace }: Reference): (readonly [string, MapName])[] {
  if (group !== '' || kind !== 'ConfigMap' || namespace === undefined) return [];
  return [[objectKey(namespace, name), { namespace, name }]];
}
