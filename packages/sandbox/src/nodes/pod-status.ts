/** The status of a pod, from what its containers do. Pure. */
import { qosClass, timestampOf } from '@aquifer/model/kubernetes';
import type { ContainerStatus, PodStatus } from '@aquifer/model/resources';
import type { ContainerRole, ContainerState, ContainerView } from './container-state.ts';
import type { NodePod } from './node-pod.ts';

export interface PodObservation {
  readonly pod: NodePod;
  readonly hostAddress: string;
  /** Null until the pod has a network. */
  readonly podAddress: string | null;
  readonly startTime: Date;
  /** Init containers and sidecars first, in order. */
  readonly containers: readonly ContainerView[];
  readonly isInitialized: boolean;
  /** Set when the whole pod has ended. */
  readonly finalPhase: 'Succeeded' | 'Failed' | null;
  readonly now: Date;
}

type Conditions = NonNullable<PodStatus['conditions']>;
type Condition = Conditions[number];
type Reason = readonly [reason?: string, message?: string];
type Finding = readonly [type: string, isTrue: boolean, ...Reason];

/** Conditions that others wrote (readiness gates, capture reports) stay as they are. */
export function podStatus(observation: PodObservation): PodStatus {
  const { pod, hostAddress, podAddress, containers, startTime } = observation;
  const address = podAddress === null ? {} : { podIP: podAddress, podIPs: [{ ip: podAddress }] };
  const statuses = (...roles: readonly ContainerRole[]): ContainerStatus[] =>
    containers.filter(({ role }) => roles.includes(role)).map(containerStatus);
  const initStatuses = statuses('init', 'sidecar');
  const ephemeralStatuses = statuses('ephemeral');
  return {
    phase: phase(observation),
    conditions: conditions(observation),
    hostIP: hostAddress,
    hostIPs: [{ ip: hostAddress }],
    ...address,
    startTime: timestampOf(startTime),
    ...(initStatuses.length > 0 ? { initContainerStatuses: initStatuses } : {}),
    containerStatuses: statuses('main'),
    ...(ephemeralStatuses.length > 0 ? { ephemeralContainerStatuses: ephemeralStatuses } : {}),
    qosClass: qosClass(pod.spec),
  };
}

function phase({ containers, finalPhase }: PodObservation): string {
  if (finalPhase !== null) return finalPhase;
  const main = containers.filter(({ role }) => role === 'main');
  const hasBegun = main.every(
    ({ state, lastTermination }) => state.kind !== 'waiting' || lastTermination !== null,
  );
  return hasBegun ? 'Running' : 'Pending';
}

function conditions(observation: PodObservation): Conditions {
  const { pod, containers, isInitialized, podAddress, finalPhase, now } = observation;
  const before = pod.status?.conditions ?? [];
  const judged = containers.filter(({ role }) => role === 'main' || role === 'sidecar');
  const unready = judged.filter(({ isReady }) => !isReady).map(({ spec }) => spec.name);
  const areReady = unready.length === 0 && finalPhase === null;
  const gatesOpen = (pod.spec.readinessGates ?? []).every(({ conditionType }) =>
    before.some(({ type, status }) => type === conditionType && status === 'True'),
  );
  const unreadyMessage = `containers with unready status: [${unready.join(' ')}]`;
  const notReady: Reason =
    finalPhase === 'Succeeded' ? ['PodCompleted'] : ['ContainersNotReady', unreadyMessage];
  const containersReason: Reason = areReady ? [] : notReady;
  const readyReason: Reason =
    areReady && !gatesOpen ? ['ReadinessGatesNotReady'] : containersReason;
  const findings: readonly Finding[] = [
    ['PodReadyToStartContainers', podAddress !== null && finalPhase === null],
    ['Initialized', isInitialized, ...initReason(observation)],
    ['Ready', areReady && gatesOpen, ...readyReason],
    ['ContainersReady', areReady, ...containersReason],
    ['PodScheduled', true],
  ];
  const own = findings.map((finding) => condition(finding, before, now));
  const foreign = before.filter(({ type }) => !findings.some(([known]) => known === type));
  return [...own, ...foreign];
}

function initReason({ isInitialized, containers }: PodObservation): Reason {
  if (isInitialized) return [];
  const names = containers
    .filter(({ role, isReady }) => (role === 'init' || role === 'sidecar') && !isReady)
    .map(({ spec }) => spec.name);
  return ['ContainersNotInitialized', `containers with incomplete status: [${names.join(' ')}]`];
}

function condition(finding: Finding, before: Conditions, now: Date): Condition {
  const [type, isTrue, reason, message] = finding;
  const status = isTrue ? 'True' : 'False';
  const previous = before.find((known) => known.type === type);
  const lastTransitionTime =
    previous?.status === status && previous.lastTransitionTime
      ? previous.lastTransitionTime
      : timestampOf(now);
  return {
    type,
    status,
    lastProbeTime: null,
    lastTransitionTime,
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
  };
}

function containerStatus(view: ContainerView): ContainerStatus {
  const { spec, state, lastTermination, restartCount, isReady, isStarted } = view;
  const containerId = state.kind === 'waiting' ? lastTermination?.containerId : state.containerId;
  const image = spec.image ?? '';
  return {
    name: spec.name,
    state: stateStatus(state),
    lastState: lastTermination === null ? {} : stateStatus(lastTermination),
    ready: isReady,
    restartCount,
    image,
    imageID: containerId === undefined ? '' : `aquifer://${image}`,
    ...(containerId === undefined ? {} : { containerID: `aquifer://${containerId}` }),
    started: isStarted,
  };
}

function stateStatus(state: ContainerState): NonNullable<ContainerStatus['state']> {
  switch (state.kind) {
    case 'waiting': {
      const { reason, message } = state;
      return { waiting: { reason, ...(message === undefined ? {} : { message }) } };
    }
    case 'running':
      return { running: { startedAt: timestampOf(state.startedAt) } };
    case 'terminated':
      return {
        terminated: {
          exitCode: state.exitCode,
          reason: state.reason,
          startedAt: timestampOf(state.startedAt),
          finishedAt: timestampOf(state.finishedAt),
          containerID: `aquifer://${state.containerId}`,
        },
      };
  }
}
