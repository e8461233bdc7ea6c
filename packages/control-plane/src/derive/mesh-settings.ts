/** What holds for the whole mesh, as a collection: most of what is derived depends on it. */
import type { Context } from '../collections/cell.ts';
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { type ClusterInputs, objectKey } from '../ingest/cluster-inputs.ts';
import { NETWORK_LABEL } from './labels.ts';
import type { Installation, MeshSettings } from './mesh.ts';
import { type MeshConfig, NO_MESH_CONFIG, parseMeshConfig } from './mesh-config.ts';
import { labelsOf } from './object.ts';

export interface SettingsCollections {
  /** Under the key `''`; nothing without a ConfigMap. */
  readonly meshConfig: Collection<MeshConfig>;
  /** Under the key `''`, always. */
  readonly settings: Collection<MeshSettings>;
}

/** Key of the ConfigMap's data that holds the configuration. */
const MESH_KEY = 'mesh';

export function settingsCollections(
  graph: Graph,
  cluster: ClusterInputs,
  installation: Installation,
): SettingsCollections {
  const { clusterId, clusterDomain, systemNamespace } = installation;
  const meshConfig = graph.flatMap(
    'mesh configuration',
    cluster.of('MeshConfigMap'),
    ({ data }) => [['', parseMeshConfig(data?.[MESH_KEY] ?? '')]],
  );
  const once = graph.constant('installation', installation);
  const settings = graph.map('mesh settings', once, ({ trustDomain }, context): MeshSettings => {
    const config = context.get(meshConfig, '') ?? NO_MESH_CONFIG;
    const home = context.get(cluster.of('Namespace'), objectKey('', systemNamespace));
    return {
      clusterId,
      clusterDomain,
      trustDomain: config.trustDomain ?? trustDomain,
      rootNamespace: config.rootNamespace ?? systemNamespace,
      network: labelsOf(home)[NETWORK_LABEL] ?? '',
      extensionProviders: config.extensionProviders,
      telemetry: config.telemetry,
      proxies: config.proxies,
    };
  });
  return { meshConfig, settings };
}

/** What holds now; `context` remembers that it was asked for. */
export function settingsIn(
  { settings }: Pick<SettingsCollections, 'settings'>,
  context: Context,
): MeshSettings {
  return context.get(settings, '')!;
}
