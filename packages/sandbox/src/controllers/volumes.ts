/** What becomes of volumes whose claims are gone: they wait for somebody, or go with all they hold. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PROVISIONED_BY, PROVISIONER } from '@aquifer/kube-api/vocabulary';
import { type Controller, type ControllerDeps, runController } from './controller.ts';
import { CLAIMS, VOLUMES } from './resource-keys.ts';
import { writeStatus } from './write-status.ts';

export function runVolumes(deps: ControllerDeps): Controller {
  const { client, informers, volumesDirectory } = deps;
  const controller = runController(
    deps,
    { parents: informers.volumes, kind: 'PersistentVolume' },
    async (volume) => {
      const { name, annotations } = volume.metadata;
      const { claimRef, persistentVolumeReclaimPolicy: policy } = volume.spec;
      if (claimRef?.uid === undefined) {
        return writeStatus(client, VOLUMES, volume, { phase: 'Available' });
      }
      // Asked of the API, not of a copy that may lag: what is removed here is gone.
      const claim = await client.get(CLAIMS, claimRef.name, claimRef.namespace);
      if (claim?.metadata.uid === claimRef.uid) return;
      if (policy !== 'Delete' || annotations?.[PROVISIONED_BY] !== PROVISIONER) {
        return writeStatus(client, VOLUMES, volume, { phase: 'Released' });
      }
      await rm(join(volumesDirectory, name), { recursive: true, force: true });
      await client.delete(VOLUMES, { name });
    },
  );
  informers.claims.onChange(({ spec }) => {
    if (spec.volumeName) controller.look({ metadata: { name: spec.volumeName } });
  });
  return controller;
}
