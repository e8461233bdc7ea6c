/**
 * Objects of a waypoint, and objects of somebody else that stand in their way.
 *
 * Always: an object is read before it is applied, and left as it is unless it says that it belongs to the Gateway.
 */
import type { Gateway, ObjectMeta } from '@aquifer/model/resources';
import { WAYPOINT_CONTROLLER } from '../derive/labels.ts';
import { type LabelledObject, labelsOf, nameOf, namespaceOf } from '../derive/object.ts';
import { MANAGED_LABEL } from '../ingest/kinds.ts';
import type { KubernetesApi } from '../ingest/kubernetes-api.ts';
import type { WriteOutcome } from '../reconcile/write-queue.ts';
import type { DerivedGatewayStatus } from './gateway-status.ts';
import type { Manifest } from './waypoint-manifests.ts';

interface OwnedWrite {
  readonly gateway: Gateway;
  readonly manifest: Manifest;
  /** Of the object itself. */
  readonly path: string;
}

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
function belongsTo(object: LabelledObject, gateway: Gateway): boolean {
  if (labelsOf(object)[MANAGED_LABEL] === undefined) return false;
  const owners: readonly Owner[] = (object.metadata as ObjectMeta).ownerReferences ?? [];
  return (
    owners.length === 0 ||
    owners.some(({ kind, name }) => kind === 'Gateway' && name === nameOf(gateway))
  );
}

interface Owner {
  readonly kind: string;
  readonly name: string;
}

/** Which objects of waypoints turned out to be somebody else's. */
export class ForeignObjects {
  readonly #byGateway = new Map<string, Map<string, string>>();

  add(gateway: Gateway, { kind, metadata }: Manifest): void {
    // A ServiceAccount of the user's is what `gateway.istio.io/service-account` is for.
    if (kind === 'ServiceAccount') return;
    const known = this.#byGateway.get(keyOf(gateway)) ?? new Map<string, string>();
    this.#byGateway.set(keyOf(gateway), known.set(kind, metadata.name));
  }

  forget(gateway: Gateway, { kind }: Manifest): void {
    const known = this.#byGateway.get(keyOf(gateway));
    known?.delete(kind);
    if (known?.size === 0) this.#byGateway.delete(keyOf(gateway));
  }

  /** For a Gateway that needs no objects. */
  forgetAll(gateway: Gateway): void {
    this.#byGateway.delete(keyOf(gateway));
  }

  /** The status of a Gateway, which is not programmed while something is in its way. */
  report(gateway: Gateway, status: DerivedGatewayStatus): DerivedGatewayStatus {
    const known = this.#byGateway.get(keyOf(gateway));
    if (known === undefined) return status;
    const objects = [...known].map(([kind, name]) => `${kind} "${name}"`).toSorted();
    const programmed = {
      type: 'Programmed',
      status: 'False',
      reason: 'NameConflict',
      message: `${objects.join(' and ')} in namespace "${namespaceOf(gateway)}" is not managed by this Gateway and is left alone: rename or delete it, or rename the Gateway`,
    };
    const conditions = status.conditions.map((condition) =>
      condition.type === programmed.type ? programmed : condition,
    );
    return { ...status, conditions };
  }
}

function keyOf(gateway: Gateway): string {
  return `${namespaceOf(gateway)}/${nameOf(gateway)}`;
}
