/** The claims of pods at a real API, without controllers: nothing binds them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ClusterApi, startClusterApi } from '../../../../test/fixtures/cluster-api.ts';
import { clusterClaimSource } from './claim-source.ts';

const CLAIMS = { group: '', version: 'v1', plural: 'persistentvolumeclaims' };
let api: ClusterApi;

beforeAll(async () => {
  api = await startClusterApi();
});
afterAll(() => api[Symbol.asyncDispose]());

test('a missing claim, and one that is not bound, are told in the words of the kubelet', async () => {
  const { client } = api.server;
  const claims = clusterClaimSource(client);
  await expect(claims.directory('default', 'data')).rejects.toThrow(
    'error processing PVC default/data: failed to fetch PVC from API server: persistentvolumeclaims "data" not found',
  );
  await client.create(CLAIMS, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data', namespace: 'default' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  });
  await expect(claims.directory('default', 'data')).rejects.toThrow(
    'error processing PVC default/data: PVC is not bound',
  );
});
