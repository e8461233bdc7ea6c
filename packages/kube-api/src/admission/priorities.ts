/** The priority of pods, by the name of their class (admission plugin Priority). */
import { ApiStatusError } from '../api-status-error.ts';
import { type JsonObject, objectOr, stringOr } from '../json.ts';
import type { Storage } from '../storage/storage.ts';

const CLASSES = 'scheduling.k8s.io/priorityclasses';

/** Fills the priority in place. Throws 403 for a class that does not exist. */
export function resolvePriority(storage: Storage, pod: JsonObject): void {
  const spec = objectOr(pod.spec);
  const asked = stringOr(spec.priorityClassName) ?? '';
  const chosen =
    asked === ''
      ? storage.list(CLASSES).find((item) => item.globalDefault === true)
      : storage.get(CLASSES, '', asked);
  if (chosen === null) {
    const name = String(objectOr(pod.metadata).name);
    const message = `pods "${name}" is forbidden: no PriorityClass with name ${asked} was found`;
    throw new ApiStatusError(403, 'Forbidden', message, { name, kind: 'pods' });
  }
  if (chosen === undefined) return;
  spec.priorityClassName = chosen.metadata.name;
  spec.priority = chosen.value;
  spec.preemptionPolicy = chosen.preemptionPolicy ?? 'PreemptLowerPriority';
}
