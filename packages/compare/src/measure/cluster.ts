import type { Manifest } from '../workload/manifest.ts';

/** What a comparison asks of a cluster. */
export interface ComparisonCluster {
  /** Creates or updates. */
  apply(object: Manifest): Promise<void>;
  /** All pods of a namespace. */
  pods(namespace: string): Promise<readonly Pod[]>;
  /** Starts the removal of a namespace; one that is not there is fine. */
  removeNamespace(name: string): Promise<void>;
  hasNamespace(name: string): Promise<boolean>;
  nodeCount(): Promise<number>;
  /** The body of a page that a pod serves on its loopback address. */
  ask(pod: PodName, page: { readonly port: number; readonly path: string }): Promise<string>;
  /** Processes of this machine that are the cluster itself, and no container. */
  readonly processes: readonly number[];
}

export interface PodName {
  readonly namespace: string;
  readonly name: string;
}

/** The fields of a pod that matter here, as the API has them. */
export interface Pod {
  readonly metadata?: {
    readonly name?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: Date | string;
  };
  readonly spec?: { readonly nodeName?: string };
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
}

interface ContainerStatus {
  readonly name: string;
  /** `RUNTIME://ID`. */
  readonly containerID?: string;
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string };
  };
}

/** Statuses of all containers of a pod. */
export function containerStatuses({ status }: Pod): readonly ContainerStatus[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
}

/** A comparison that cannot go on: what happened, and what to do. */
export class ComparisonError extends Error {
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.name = 'ComparisonError';
    this.remedy = remedy;
  }
}
