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
      readonly basis: WriteBasis;
    }
  /** Of an object that a Gateway was turned into; only in the version that was seen. */
  | {
      readonly verb: 'delete';
      readonly path: string;
      readonly uid: string;
      readonly resourceVersion: string;
    };

/** What was known as the wish was made: an object is not made of a Gateway that has changed since. */
interface WriteBasis {
  /** `namespace/name`. */
  readonly gateway: string;
  readonly gatewayPath: string;
  readonly gatewayState: string;
  /** Of the object; empty if there was none. */
  readonly resourceVersion: string;
}

/** An object that a Gateway is turned into. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind:
    | 'ServiceAccount'
    | 'Deployment'
    | 'Service'
    | 'HorizontalPodAutoscaler'
    | 'PodDisruptionBudget';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
}

/** Whether two wishes are for the same write. */
export function isSameWish(before: Wish, now: Wish): boolean {
  return before.fingerprint === now.fingerprint;
}
