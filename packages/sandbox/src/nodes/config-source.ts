import type { ClusterClient, ResourceKey } from '@aquifer/kube-api';
import type { ConfigSource } from './environment.ts';

const KEYS: Readonly<Record<'configmap' | 'secret', ResourceKey>> = {
  configmap: { group: '', version: 'v1', plural: 'configmaps' },
  secret: { group: '', version: 'v1', plural: 'secrets' },
};

/** ConfigMaps and Secrets, straight from the API. */
export function clusterConfigSource(client: ClusterClient): ConfigSource {
  return {
    async data(kind, namespace, name) {
      const object = await client.get(KEYS[kind], name, namespace);
      if (object === null) return null;
      const encoded: Record<string, string> =
        kind === 'secret' ? (object.data ?? {}) : (object.binaryData ?? {});
      const plain: Record<string, string> = kind === 'secret' ? {} : (object.data ?? {});
      return Object.fromEntries([
        ...Object.entries(encoded).map(([key, value]) => [key, Buffer.from(value, 'base64')]),
        ...Object.entries(plain).map(([key, value]) => [key, Buffer.from(value)]),
      ]);
    },
  };
}
