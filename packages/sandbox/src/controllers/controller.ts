import type { ApiObject, ClusterClient } from '@aquifer/kube-api';
import type { EventRecorder } from '../nodes/event-recorder.ts';
import type { Informer } from './informer.ts';
import { controllerOf, objectKey, splitKey } from './informer.ts';
import { WorkQueue } from './work-queue.ts';

/** What every controller gets. */
export interface ControllerDeps {
  readonly client: ClusterClient;
  readonly informers: Informers;
  readonly events: EventRecorder;
  /** Where the volumes are that the default StorageClass makes. */
  readonly volumesDirectory: string;
  /** For a failure that is tried again. */
  readonly onError: (error: Error) => void;
}

/** The collections that controllers look at; each is watched once for all of them. */
export interface Informers {
  readonly pods: Informer;
  readonly nodes: Informer;
  readonly services: Informer;
  readonly slices: Informer;
  readonly deployments: Informer;
  readonly replicaSets: Informer;
  readonly daemonSets: Informer;
  readonly jobs: Informer;
  readonly cronJobs: Informer;
  readonly statefulSets: Informer;
  readonly disruptionBudgets: Informer;
  readonly claims: Informer;
  readonly volumes: Informer;
}

export interface Controller {
  /** Looks at the object again, now or after `delayMs`. */
  look(object: Pick<ApiObject, 'metadata'>, delayMs?: number): void;
  stop(): void;
}

/** Calls `reconcile` for each object of a collection that changes, and for the owner of each child that changes. */
export function runController(
  deps: ControllerDeps,
  watched: { readonly parents: Informer; readonly kind: string; readonly children?: Informer },
  reconcile: (object: ApiObject) => Promise<void>,
): Controller {
  const { parents, kind, children } = watched;
  const queue = new WorkQueue(async (key) => {
    const object = parents.get(...splitKey(key));
    if (object !== null) await reconcile(object);
  }, deps.onError);
  const look = ({ metadata }: Pick<ApiObject, 'metadata'>, delayMs = 0): void => {
    const key = objectKey(metadata.namespace, metadata.name);
    if (delayMs > 0) queue.addAfter(key, delayMs);
    else queue.add(key);
  };
  parents.onChange(look);
  children?.onChange((child) => {
    const owner = controllerOf(child);
    if (owner?.kind === kind) queue.add(objectKey(child.metadata.namespace, owner.name));
  });
  return { look, stop: () => queue.stop() };
}
