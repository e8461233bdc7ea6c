/** Who sees an object of Istio's networking: `exportTo` (spec l7 1.1). */
import type { ObjectMeta } from '@aquifer/model/resources';
import { namespaceOf } from '../object.ts';

interface ExportedObject {
  readonly metadata: ObjectMeta;
  readonly spec?: { readonly exportTo?: readonly string[] | undefined } | undefined;
}

/** `.` is its own namespace, `*` every one, `~` none; without a word every namespace sees it. */
export function isExportedTo(object: ExportedObject, namespace: string): boolean {
  const { exportTo = [] } = object.spec ?? {};
  if (exportTo.length === 0) return true;
  return exportTo.some(
    (name) =>
      name === '*' || name === namespace || (name === '.' && namespaceOf(object) === namespace),
  );
}
