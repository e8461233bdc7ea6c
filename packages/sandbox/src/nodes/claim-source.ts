import type { ClusterClient, ResourceKey } from '@aquifer/kube-api';
import { PROVISIONED_BY, PROVISIONER } from '@aquifer/kube-api/vocabulary';
import { type ClaimSource, VolumeError } from './pod-volumes.ts';

const CLAIMS: ResourceKey = { group: '', version: 'v1', plural: 'persistentvolumeclaims' };
const VOLUMES: ResourceKey = { group: '', version: 'v1', plural: 'persistentvolumes' };

/** Claims and the directories of their volumes, straight from the API. */
export function clusterClaimSource(client: ClusterClient): ClaimSource {
  return {
    async directory(namespace, claimName) {
      const refuse = (why: string): VolumeError =>
        new VolumeError(`error processing PVC ${namespace}/${claimName}: ${why}`);
      const claim = await client.get(CLAIMS, claimName, namespace);
      if (claim === null) {
        const why = `persistentvolumeclaims "${claimName}" not found`;
        throw refuse(`failed to fetch PVC from API server: ${why}`);
      }
      if (claim.metadata.deletionTimestamp !== undefined) throw refuse('PVC is being deleted');
      if (claim.status?.phase !== 'Bound') throw refuse('PVC is not bound');
      const { volumeName } = claim.spec;
      const volume = await client.get(VOLUMES, volumeName);
      if (volume === null) throw refuse(`persistentvolumes "${volumeName}" not found`);
      const path: string | undefined = volume.spec.hostPath?.path ?? volume.spec.local?.path;
      if (path === undefined) {
        throw refuse(`volume ${volumeName}: the sandbox has no volumes of this type`);
      }
      const isManaged = volume.metadata.annotations?.[PROVISIONED_BY] === PROVISIONER;
      return { path, isManaged };
    },
  };
}
