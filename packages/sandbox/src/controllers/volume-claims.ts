/** Gives each claim a volume: one that exists and suits it, or a new directory of this machine. */
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApiObject } from '@aquifer/kube-api';
import { CLAIM_PROTECTION, PROVISIONED_BY, PROVISIONER } from '@aquifer/kube-api/vocabulary';
import { quantityValue } from '@aquifer/model';
import { type Controller, type ControllerDeps, runController } from './controller.ts';
import { matchesSelector } from './label-selector.ts';
import { isFinished, isTerminating } from './pod-state.ts';
import { CLAIMS, STORAGE_CLASSES, VOLUMES } from './resource-keys.ts';
import { writeStatus } from './write-status.ts';

/** How soon a claim for which there is no volume and no class is looked at again. */
const RETRY_MS = 5_000;

export function runVolumeClaims(deps: ControllerDeps): Controller {
  const { client, informers, events } = deps;
  const controller = runController(
    deps,
    { parents: informers.claims, kind: 'PersistentVolumeClaim' },
    async (claim) => {
      if (isTerminating(claim)) return letGo(claim);
      const volume = await volumeFor(claim);
      if (volume !== null) return bind(claim, volume);
      if (claim.status?.phase === 'Bound')
        return writeStatus(client, CLAIMS, claim, { phase: 'Lost' });
      controller.look(claim, RETRY_MS);
    },
  );
  informers.volumes.onChange(({ metadata, spec }) => {
    for (const claim of informers.claims.list()) {
      const mayTakeIt = claim.status?.phase === 'Pending' && spec.claimRef === undefined;
      if (mayTakeIt || claim.spec.volumeName === metadata.name) controller.look(claim);
    }
  });
  informers.pods.onChange((pod) => {
    const { namespace = '' } = pod.metadata;
    for (const name of claimNames(pod)) controller.look({ metadata: { name, namespace } });
  });
  return controller;

  /** Once no pod uses it, a deleted claim may go. */
  async function letGo({ metadata }: ApiObject): Promise<void> {
    const { name, namespace = '', finalizers = [] } = metadata;
    const isUsed = informers.pods
      .list(namespace)
      .some((pod) => !isFinished(pod) && claimNames(pod).includes(name));
    if (isUsed || !finalizers.includes(CLAIM_PROTECTION)) return;
    const others = finalizers.filter((finalizer) => finalizer !== CLAIM_PROTECTION);
    await client.mergePatch(CLAIMS, { name, namespace }, { metadata: { finalizers: others } });
  }

  async function volumeFor(claim: ApiObject): Promise<ApiObject | null> {
    const { volumeName } = claim.spec;
    if (volumeName) return client.get(VOLUMES, volumeName);
    const volumes = await client.list(VOLUMES);
    const own = volumes.find((volume) => refersTo(volume, claim));
    const free = volumes.filter((volume) => suits(volume, claim)).toSorted(bySize);
    return own ?? free[0] ?? provision(claim);
  }

  async function provision(claim: ApiObject): Promise<ApiObject | null> {
    const className: string = claim.spec.storageClassName ?? '';
    const storageClass = className === '' ? null : await client.get(STORAGE_CLASSES, className);
    if (storageClass?.provisioner !== PROVISIONER) return null;
    const name = `pvc-${claim.metadata.uid}`;
    const path = join(deps.volumesDirectory, name);
    await mkdir(path, { recursive: true });
    await chmod(path, 0o777);
    const volume = await client.create(VOLUMES, {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name, annotations: { [PROVISIONED_BY]: PROVISIONER } },
      spec: {
        accessModes: claim.spec.accessModes,
        capacity: { storage: claim.spec.resources?.requests?.storage },
        claimRef: referenceTo(claim),
        hostPath: { path, type: 'DirectoryOrCreate' },
        persistentVolumeReclaimPolicy: storageClass.reclaimPolicy,
        storageClassName: className,
        volumeMode: claim.spec.volumeMode,
      },
    });
    events.normal(claim, 'ProvisioningSucceeded', `Successfully provisioned volume ${name}`);
    return volume;
  }

  /** The volume first: of two claims that want the same one, only one writes to the version it has read. */
  async function bind(claim: ApiObject, volume: ApiObject): Promise<void> {
    const { claimRef } = volume.spec;
    if (claimRef !== undefined && !refersTo(volume, claim)) return;
    if (claimRef?.uid === undefined) {
      await client.update(VOLUMES, {
        ...volume,
        spec: { ...volume.spec, claimRef: referenceTo(claim) },
      });
    }
    const { name, namespace = '' } = claim.metadata;
    if (claim.spec.volumeName !== volume.metadata.name) {
      await client.mergePatch(
        CLAIMS,
        { name, namespace },
        {
          metadata: { annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
          spec: { volumeName: volume.metadata.name },
        },
      );
    }
    const { accessModes, capacity } = volume.spec;
    await writeStatus(client, VOLUMES, volume, { phase: 'Bound' });
    await writeStatus(client, CLAIMS, claim, { phase: 'Bound', accessModes, capacity });
  }
}

function claimNames(pod: ApiObject): string[] {
  const volumes: readonly { persistentVolumeClaim?: { claimName: string } }[] =
    pod.spec.volumes ?? [];
  return volumes.flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? []);
}

function referenceTo({ metadata }: ApiObject): Record<string, unknown> {
  const { namespace, name, uid } = metadata;
  return { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid };
}

/** Who makes a volume may say which claim it is for, before there is one. */
function refersTo({ spec }: ApiObject, { metadata }: ApiObject): boolean {
  const { name, namespace, uid }: Record<string, unknown> = spec.claimRef ?? {};
  const isNamed = name === metadata.name && namespace === metadata.namespace;
  return isNamed && (uid === undefined || uid === metadata.uid);
}

/** Pure: the volume is nobody's, of the claim's class, and offers what the claim asks for. */
function suits(volume: ApiObject, { spec }: ApiObject): boolean {
  const { claimRef, storageClassName = '' } = volume.spec;
  const isFree = claimRef === undefined && !isTerminating(volume);
  return isFree && storageClassName === (spec.storageClassName ?? '') && offers(volume, spec);
}

function offers({ metadata, spec }: ApiObject, wanted: ApiObject['spec']): boolean {
  const modes: readonly string[] = wanted.accessModes ?? [];
  return (
    modes.every((mode) => spec.accessModes?.includes(mode)) &&
    sizeOf(spec.capacity) >= sizeOf(wanted.resources?.requests) &&
    matchesSelector(wanted.selector ?? {}, metadata.labels)
  );
}

function sizeOf(amounts: { readonly storage?: unknown } | undefined): number {
  return quantityValue(amounts?.storage ?? 0);
}

function bySize(one: ApiObject, other: ApiObject): number {
  return sizeOf(one.spec.capacity) - sizeOf(other.spec.capacity);
}
