/**
 * Objects of waypoints, and objects of somebody else that stand in their way.
 *
 * Always: an object is read before it is applied, and left as it is unless it says that it belongs to the Gateway.
 */
import type { ObjectMeta } from '@aquifer/model/resources';
import type { Input } from '../collections/nodes.ts';
import { WAYPOINT_CONTROLLER } from '../derive/labels.ts';
import { type LabelledObject, labelsOf } from '../derive/object.ts';
import { MANAGED_LABEL } from '../ingest/kinds.ts';
import type { KubernetesApi } from '../ingest/kubernetes-api.ts';
import type { Write } from './wish.ts';
import type { WriteOutcome } from './write-queue.ts';

/** Paths of objects that turned out to be somebody else's. */
export type ForeignObjects = Input<true>;

type OwnedWrite = Extract<Write, { readonly verb: 'applyOwned' }>;

/** `declined` if the object is somebody else's, `settled` if it was as the manifest says already. */
export async function applyOwned(
  { gateway, manifest, path }: OwnedWrite,
  api: Pick<KubernetesApi, 'get' | 'apply'>,
): Promise<WriteOutcome> {
  const existing = await api.get<LabelledObject>(path);
  if (existing !== null && !belongsTo(existing, gateway)) return 'declined';
  // Whoever changes the object between the two calls makes the second one fail.
  const resourceVersion = existing?.metadata.resourceVersion;
  const metadata = { ...manifest.metadata, ...(resourceVersion && { resourceVersion }) };
  const body = { ...manifest, metadata };
  const written = await api.apply<LabelledObject>(path, body, WAYPOINT_CONTROLLER);
  return written.metadata.resourceVersion === resourceVersion ? 'settled' : written;
}

/** One that lost its owner, as after a restore from a backup, is taken back. */
function belongsTo(object: LabelledObject, gateway: string): boolean {
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
  foreign: ForeignObjects,
  { path, manifest: { kind } }: OwnedWrite,
  outcome: WriteOutcome,
): boolean {
  // A ServiceAccount of the user's is what `gateway.istio.io/service-account` is for.
  const isForeign = outcome === 'declined' && kind !== 'ServiceAccount';
  // Whether it is news or not: another write may have noted something since the last round.
  foreign.set(path, isForeign ? true : undefined);
  return (foreign.get(path) !== undefined) !== isForeign;
}
