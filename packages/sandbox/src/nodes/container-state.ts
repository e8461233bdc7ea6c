import type { Container } from '@aquifer/model/resources';

/** Where a container is in its life, as in ContainerState of the Kubernetes API. */
export type ContainerState =
  | { readonly kind: 'waiting'; readonly reason: string; readonly message?: string }
  | { readonly kind: 'running'; readonly startedAt: Date; readonly containerId: string }
  | ContainerTermination;

export interface ContainerTermination {
  readonly kind: 'terminated';
  readonly exitCode: number;
  readonly reason: 'Completed' | 'Error' | 'OOMKilled';
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly containerId: string;
}

/** One container as the pod's status shows it. */
export interface ContainerView {
  readonly spec: Container;
  readonly role: ContainerRole;
  readonly state: ContainerState;
  readonly lastTermination: ContainerTermination | null;
  readonly restartCount: number;
  readonly isReady: boolean;
  /** Running and past its startup probe. */
  readonly isStarted: boolean;
}

/** `sidecar`: an init container with restartPolicy Always. `ephemeral`: added to a running pod, to look at it. */
export type ContainerRole = 'init' | 'sidecar' | 'main' | 'ephemeral';
