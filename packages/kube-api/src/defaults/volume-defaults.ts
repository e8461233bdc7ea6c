/** Defaults of claims, volumes and storage classes, and the admission plugins that are always on for claims. */

import { type JsonObject, listOr, objectOr } from '../json.ts';
import type { Storage } from '../storage/storage.ts';
import { CLAIM_PROTECTION, IS_DEFAULT_CLASS } from '../vocabulary/storage-class.ts';
import { fill } from './pod-defaults.ts';

/** A claim waits until something binds it. */
export function claimDefaults(claim: JsonObject): void {
  fill(claim, 'spec', {});
  fill(objectOr(claim.spec), 'volumeMode', 'Filesystem');
  fill(claim, 'status', { phase: 'Pending' });
}

/** What somebody made by hand is kept when its claim goes. */
export function volumeDefaults(volume: JsonObject): void {
  fill(volume, 'spec', {});
  const spec = objectOr(volume.spec);
  fill(spec, 'persistentVolumeReclaimPolicy', 'Retain');
  fill(spec, 'volumeMode', 'Filesystem');
  fill(volume, 'status', { phase: 'Pending' });
}

export function storageClassDefaults(storageClass: JsonObject): void {
  fill(storageClass, 'reclaimPolicy', 'Delete');
  fill(storageClass, 'volumeBindingMode', 'Immediate');
}

/** The default class for a claim that names none, and the protection of claims in use. */
export function admitClaim(claim: JsonObject, storage: Storage): void {
  const metadata = objectOr(claim.metadata);
  const finalizers = listOr(metadata.finalizers);
  if (!finalizers.includes(CLAIM_PROTECTION)) {
    metadata.finalizers = [...finalizers, CLAIM_PROTECTION];
  }
  const byDefault = storage
    .list('storage.k8s.io/storageclasses')
    .find((item) => item.metadata.annotations?.[IS_DEFAULT_CLASS] === 'true');
  if (byDefault !== undefined)
    fill(objectOr(claim.spec), 'storageClassName', byDefault.metadata.name);
}
