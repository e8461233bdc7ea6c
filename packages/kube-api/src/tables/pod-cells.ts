/** What `kubectl get pods` shows (kubernetes `printers/internalversion`, `printPod`). */
import type { ApiObject } from '../cluster-client.ts';
import { isObject, type JsonObject, listOr, objectOr, stringOr } from '../json.ts';
import { ageOf, humanDuration } from './duration.ts';

function objects(value: unknown): JsonObject[] {
  return listOr(value).filter(isObject);
}

function terminatedReason(terminated: JsonObject): string {
  const reason = stringOr(terminated.reason) ?? '';
  if (reason !== '') return reason;
  const signal = terminated.signal;
  return signal !== undefined && signal !== 0
    ? `Signal:${String(signal)}`
    : `ExitCode:${String(terminated.exitCode)}`;
}

function restartsOf(statuses: readonly JsonObject[]): number {
  return statuses.reduce((sum, status) => sum + Number(status.restartCount ?? 0), 0);
}

/** Why a pod is still in its init containers; null when they are through. */
function initReason(pod: ApiObject): string | null {
  const containers = objects(objectOr(pod.spec).initContainers);
  const statuses = objects(objectOr(pod.status).initContainerStatuses);
  for (const [index, status] of statuses.entries()) {
    const state = objectOr(status.state);
    const terminated = isObject(state.terminated) ? state.terminated : null;
    const isSidecar =
      containers.find((item) => item.name === status.name)?.restartPolicy === 'Always';
    if (terminated?.exitCode === 0 || (isSidecar && status.started === true)) continue;
    if (terminated !== null) return `Init:${terminatedReason(terminated)}`;
    const waiting = stringOr(objectOr(state.waiting).reason) ?? '';
    if (waiting !== '' && waiting !== 'PodInitializing') return `Init:${waiting}`;
    return `Init:${index}/${containers.length}`;
  }
  return null;
}

function containerReason(statuses: readonly JsonObject[], fallback: string): string {
  let reason = fallback;
  let isRunning = false;
  for (const status of statuses.toReversed()) {
    const state = objectOr(status.state);
    const waiting = stringOr(objectOr(state.waiting).reason) ?? '';
    if (waiting !== '') reason = waiting;
    else if (isObject(state.terminated)) reason = terminatedReason(state.terminated);
    else if (status.ready === true && isObject(state.running)) isRunning = true;
  }
  // A running container beside a finished one: the pod is what its conditions say.
  return reason === 'Completed' && isRunning ? 'Running' : reason;
}

function statusOf(pod: ApiObject): string {
  const status = objectOr(pod.status);
  if (pod.metadata.deletionTimestamp !== undefined) {
    return status.reason === 'NodeLost' ? 'Unknown' : 'Terminating';
  }
  const base = stringOr(status.reason) ?? stringOr(status.phase) ?? '';
  const gated = objects(status.conditions).some(
    (condition) => condition.type === 'PodScheduled' && condition.reason === 'SchedulingGated',
  );
  return (
    initReason(pod) ??
    containerReason(objects(status.containerStatuses), gated ? 'SchedulingGated' : base)
  );
}

function restartCell(statuses: readonly JsonObject[]): string {
  const restarts = restartsOf(statuses);
  const finished = statuses
    .map((status) => objectOr(objectOr(status.lastState).terminated).finishedAt)
    .filter((at) => typeof at === 'string')
    .map((at) => Date.parse(at));
  if (restarts === 0 || finished.length === 0) return String(restarts);
  return `${restarts} (${humanDuration(Date.now() - Math.max(...finished))} ago)`;
}

function readinessGates(pod: ApiObject): string {
  const gates = objects(objectOr(pod.spec).readinessGates);
  if (gates.length === 0) return '<none>';
  const conditions = objects(objectOr(pod.status).conditions);
  const met = gates.filter((gate) =>
    conditions.some((item) => item.type === gate.conditionType && item.status === 'True'),
  );
  return `${met.length}/${gates.length}`;
}

/** Ready, status, restarts, age, address, node and gates. */
export function podCells(pod: ApiObject): unknown[] {
  const spec = objectOr(pod.spec);
  const status = objectOr(pod.status);
  const statuses = objects(status.containerStatuses);
  const inits = objects(spec.initContainers).filter((item) => item.restartPolicy === 'Always');
  const sidecars = objects(status.initContainerStatuses).filter((item) =>
    inits.some((container) => container.name === item.name),
  );
  const counted = [...statuses, ...sidecars];
  const ready = counted.filter(
    (item) => item.ready === true && isObject(objectOr(item.state).running),
  );
  const total = objects(spec.containers).length + inits.length;
  return [
    pod.metadata.name,
    `${ready.length}/${total}`,
    statusOf(pod),
    restartCell(counted),
    ageOf(pod.metadata.creationTimestamp),
    stringOr(status.podIP) ?? '<none>',
    stringOr(spec.nodeName) ?? '<none>',
    stringOr(status.nominatedNodeName) ?? '<none>',
    readinessGates(pod),
  ];
}
