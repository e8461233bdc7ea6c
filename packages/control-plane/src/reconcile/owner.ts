/**
 * Objects of waypoints, and objects of somebody else that stand in their way.
 *
 * Always: an object is read before it is applied, and left as it is unless it says that it belongs to the Gateway.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ObjectMeta } from '@aquifer/model/resources';
import type { Input } from '../collections/nodes.ts';
import { WAYPOINT_CONTROLLER } from '../derive/labels.ts';
import { type LabelledObject, labelsOf } from '../derive/object.ts';
import { MANAGED_LABEL } from '../ingest/kinds.ts';
import { type KubernetesApi, KubernetesApiError } from '../ingest/kubernetes-api.ts';
import type { Write } from './wish.ts';
import type { WriteOutcome } from './write-queue.ts';

/** What keeps an object from being written: it is somebody else's, or the API server refuses what it would become. */
type Obstacle =
  | { readonly kind: 'foreign' }
  | { readonly kind: 'refused'; readonly message: string };

/** By the paths of objects. */
export type Obstacles = Input<Obstacle>;

type OwnedWrite = Extract<Write, { readonly verb: 'applyOwned' }>;

/**
 * `declined` if the object is somebody else's, `settled` if it was as the manifest says already, `outdated` if it or the
 * Gateway is not what the manifest was made from: a control plane that has just begun to write may lag behind the one
 * before it, and would take back what that one did.
 */
export async function applyOwned(
  { basis, manifest, path }: OwnedWrite,
  api: Pick<KubernetesApi, 'get' | 'apply'>,
): Promise<WriteOutcome> {
  const existing = await api.get<LabelledObject>(path);
  if (existing !== null && !belongsTo(existing, basis.gateway)) return 'declined';
  const resourceVersion = existing?.metadata.resourceVersion;
  if ((resourceVersion ?? '') !== basis.resourceVersion) return 'outdated';
  const gateway = await api.get<LabelledObject>(basis.gatewayPath);
  if (gateway === null || gatewayState(gateway) !== basis.gatewayState) return 'outdated';
  // Whoever changes the object between the calls makes the last one fail.
  const metadata = { ...manifest.metadata, ...(resourceVersion && { resourceVersion }) };
  const body = { ...manifest, metadata };
  const written = await api.apply<LabelledObject>(path, body, WAYPOINT_CONTROLLER);
  return written.metadata.resourceVersion === resourceVersion ? 'settled' : written;
}

/** What of a Gateway its objects are made from; its status and our own mark are not. */
export function gatewayState({ metadata }: LabelledObject): string {
  const { uid, generation, labels = {}, annotations = {} } = metadata;
  const given = Object.entries(annotations).filter(([name]) => !OURS.includes(name));
  return JSON.stringify([uid, generation, labels, given]);
}

/** The mark of the control plane, and what is not kept of objects. */
const OURS: readonly string[] = [
  'gateway.istio.io/controller-version',
  'kubectl.kubernetes.io/last-applied-configuration',
];

/** One that lost its owner, as after a restore from a backup, is taken back. */
export function belongsTo(object: LabelledObject, gateway: string): boolean {
  if (labelsOf(object)[MANAGED_LABEL] === undefined) return false;
  const owners: readonly Owner[] = (object.metadata as ObjectMeta).ownerReferences ?? [];
  return (
    owners.length === 0 ||
    owners.some(({ kind, name }) => kind === 'Gateway' && gateway.endsWith(`/${name}`))
  );
}

interface Owner {
  readonly kind: string;
  readonly name: string;
}

/** Notes what became of a write; returns whether that is news. */
export function noteOutcome(
  obstacles: Obstacles,
  { path, manifest: { kind } }: OwnedWrite,
  outcome: WriteOutcome,
): boolean {
  if (outcome === 'outdated') return false;
  // A ServiceAccount of the user's is what `gateway.istio.io/service-account` is for.
  const isForeign = outcome === 'declined' && kind !== 'ServiceAccount';
  return note(obstacles, path, isForeign ? { kind: 'foreign' } : undefined);
}

/** Answers that the same write would get again: the object is not what the API takes. */
const REFUSALS: readonly number[] = [400, 403, 422];

/** Notes a write that failed, if it was refused; returns whether that is news. */
export function noteFailure(obstacles: Obstacles, { path }: OwnedWrite, error: unknown): boolean {
  if (!(error instanceof KubernetesApiError) || !REFUSALS.includes(error.status)) return false;
  return note(obstacles, path, { kind: 'refused', message: error.message });
}

function note(obstacles: Obstacles, path: string, now: Obstacle | undefined): boolean {
  // Whether it is news or not: another write may have noted something since the last round.
  obstacles.set(path, now);
  return !isDeepStrictEqual(obstacles.get(path), now);
}
