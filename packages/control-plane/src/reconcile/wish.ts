/** A write to the Kubernetes API that is still missing, as a value: derived from the cluster like everything else. */
export interface Wish {
  /** What would be written, and what it is based on: the same wish is not written twice in a row. */
  readonly fingerprint: string;
  readonly write: Write;
}

/** Paths are those of the object, or of its status; of `create` that of the collection. */
export type Write =
  | {
      readonly verb: 'apply';
      readonly path: string;
      readonly body: object;
      readonly fieldManager: string;
    }
  | { readonly verb: 'create' | 'mergePatch'; readonly path: string; readonly body: object }
  /** Of a Gateway; only if the object is not somebody else's. */
  | {
      readonly verb: 'applyOwned';
      readonly path: string;
      readonly manifest: Manifest;
      /** `namespace/name`. */
      readonly gateway: string;
    };

/** An object that a Gateway is turned into. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: 'ServiceAccount' | 'Deployment' | 'Service';
  readonly metadata: { readonly name: string; readonly namespace: string };
}

/** Whether two wishes are for the same write. */
export function isSameWish(before: Wish, now: Wish): boolean {
  return before.fingerprint === now.fingerprint;
}
