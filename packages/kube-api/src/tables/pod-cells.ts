/** What `kubectl get pods` shows (kubernetes `printers/internalversion`, `printPod`). */
import type { ContainerStatus, Pod } from '@aquifer/model/resources';
import { ageOf, humanDuration } from './duration.ts';

type Terminated = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>;

function terminatedReason({ reason, signal = 0, exitCode }: Terminated): string {
  if (reason) return reason;
  return signal !== 0 ? `Signal:${signal}` : `ExitCode:${exitCode}`;
}

/** Why a pod is still in its init containers; null when they are through. */
function initReason({ spec, status = {} }: Pod): string | null {
  const { initContainers = [] } = spec;
  const sidecars = initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always');
  const { initContainerStatuses: statuses = [] } = status;
  const current = statuses.findIndex(({ name, state, started = false }) => {
    const isStarted = started && sidecars.some((sidecar) => sidecar.name === name);
    return state?.terminated?.exitCode !== 0 && !isStarted;
  });
  const { waiting, terminated } = statuses[current]?.state ?? {};
  if (current < 0) return null;
  if (terminated !== undefined) return `Init:${terminatedReason(terminated)}`;
  const reason = waiting?.reason ?? '';
  if (reason !== '' && reason !== 'PodInitializing') return `Init:${reason}`;
  return `Init:${current}/${initContainers.length}`;
}

function containerReason(statuses: readonly ContainerStatus[], fallback: string): string {
  let reason = fallback;
  let isRunning = false;
  for (const { state, ready } of statuses.toReversed()) {
    if (state?.waiting?.reason) reason = state.waiting.reason;
    else if (state?.terminated !== undefined) reason = terminatedReason(state.terminated);
    else if (ready && state?.running !== undefined) isRunning = true;
  }
  // A running container beside a finished one: the pod is what its conditions say.
  return reason === 'Completed' && isRunning ? 'Running' : reason;
}

function statusOf(pod: Pod): string {
  const { reason, phase = '', conditions = [], containerStatuses = [] } = pod.status ?? {};
  if (pod.metadata.deletionTimestamp !== undefined) {
    return reason === 'NodeLost' ? 'Unknown' : 'Terminating';
  }
  const isGated = conditions.some(
    (condition) => condition.type === 'PodScheduled' && condition.reason === 'SchedulingGated',
  );
  return (
    initReason(pod) ??
    containerReason(containerStatuses, isGated ? 'SchedulingGated' : (reason ?? phase))
  );
}

function restartCell(statuses: readonly ContainerStatus[]): string {
  const restarts = statuses.reduce((sum, { restartCount }) => sum + (restartCount || 0), 0);
  const finished = statuses.flatMap(({ lastState }) => lastState?.terminated?.finishedAt ?? []);
  if (restarts === 0 || finished.length === 0) return String(restarts);
  const lastMs = Math.max(...finished.map((at) => Date.parse(at)));
  return `${restarts} (${humanDuration(Date.now() - lastMs)} ago)`;
}

function readinessGates({ spec: { readinessGates: gates = [] }, status }: Pod): string {
  if (gates.length === 0) return '<none>';
  const met = gates.filter(({ conditionType }) =>
    status?.conditions?.some(({ type, status: is }) => type === conditionType && is === 'True'),
  );
  return `${met.length}/${gates.length}`;
}

/** Ready, status, restarts, age, address, node and gates. */
export function podCells(pod: Pod): unknown[] {
  const { spec, status = {}, metadata } = pod;
  const inits = (spec.initContainers ?? []).filter((item) => item.restartPolicy === 'Always');
  const sidecars = (status.initContainerStatuses ?? []).filter(({ name }) =>
    inits.some((container) => container.name === name),
  );
  const counted = [...(status.containerStatuses ?? []), ...sidecars];
  const ready = counted.filter((item) => item.ready && item.state?.running !== undefined);
  return [
    metadata.name,
    `${ready.length}/${spec.containers.length + inits.length}`,
    statusOf(pod),
    restartCell(counted),
    ageOf(metadata.creationTimestamp),
    status.podIP ?? '<none>',
    spec.nodeName ?? '<none>',
    status.nominatedNodeName ?? '<none>',
    readinessGates(pod),
  ];
}
