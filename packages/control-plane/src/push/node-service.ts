/** Capture results of node proxies become the pod's annotation and condition (DESIGN 5, decision 11). */
import { timestampOf } from '@aquifer/model/kubernetes';
import type { Pod } from '@aquifer/model/resources';
import type { Logger } from '@aquifer/runtime';
import {
  type CaptureReport,
  type CaptureReportRequest,
  CaptureState,
} from '@aquifer/wire/gen/aquifer/node_pb';
import { podOfCaller } from '../ca/node-authorization.ts';
import { REDIRECTION_ANNOTATION } from '../derive/labels.ts';
import { annotationsOf } from '../derive/object.ts';
import { Refusal } from '../errors.ts';
import type { KubernetesApi } from '../ingest/kubernetes-api.ts';
import type { Caller } from './authenticate.ts';
import type { Published } from './publisher.ts';

export interface CaptureDeps {
  readonly api: Pick<KubernetesApi, 'strategicPatch'>;
  readonly log: Logger;
  readonly trustedNodeAccounts: readonly string[];
}

/** Pod condition that says whether the node proxy carries the pod's traffic. */
const CAPTURED_CONDITION = 'ambient.istio.io/Captured';

/** What a report means for the pod; null takes annotation and condition away. */
interface Outcome {
  readonly annotation: 'enabled' | 'pending';
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

/** Writes each report that changes something; throws a Refusal if the caller may not report for that pod. */
export async function reportCapture(
  request: CaptureReportRequest,
  caller: Caller,
  { cluster, mesh }: Published,
  deps: CaptureDeps,
): Promise<void> {
  const account = `${caller.namespace}/${caller.serviceAccount}`;
  if (!deps.trustedNodeAccounts.includes(account)) {
    throw new Refusal('CP_NOT_IDENTICAL', `${account} may not report captures`);
  }
  const self = podOfCaller(caller, cluster);
  if (!self.ok) throw new Refusal('CP_UNAUTHENTICATED', self.error);
  const node = self.value.spec?.nodeName ?? '';
  if (request.node !== node) {
    throw new Refusal(
      'CP_NOT_IDENTICAL',
      `the reporting proxy is on node ${node}, not ${request.node}`,
    );
  }
  for (const report of request.reports) {
    const pod = cluster.get('Pod', report.namespace, report.name);
    // Gone, or replaced by a pod of the same name: there is nothing left to say it about.
    if (pod?.metadata.uid !== report.uid) continue;
    if (pod.spec?.nodeName !== node) {
      throw new Refusal(
        'CP_NOT_IDENTICAL',
        `pod ${report.namespace}/${report.name} is not on node ${node}`,
      );
    }
    await write(pod, report, deps);
  }
  if (request.inventory !== undefined) {
    const pods = mesh.podsByNode.lookup(node);
    await takeBackOutdated(pods, new Set(request.inventory.uids), deps);
  }
}

/** What was said of pods that left the mesh while their proxy was away. Marks of another mesh's node agent stay. */
async function takeBackOutdated(
  podsOfNode: readonly Pod[],
  uids: ReadonlySet<string>,
  deps: CaptureDeps,
): Promise<void> {
  for (const pod of podsOfNode) {
    const { uid = '', namespace = '', name = '' } = pod.metadata;
    if (uids.has(uid) || conditionOf(pod) === undefined) continue;
    await write(pod, { uid, namespace, name, state: CaptureState.RELEASED, reason: '' }, deps);
  }
}

async function write(
  pod: Pod,
  report: Omit<CaptureReport, '$typeName'>,
  { api, log }: CaptureDeps,
): Promise<void> {
  const outcome = outcomeOf(report);
  if (outcome === undefined || isWritten(pod, outcome)) return;
  const { namespace, name, uid } = report;
  await api.strategicPatch(`/api/v1/namespaces/${namespace}/pods/${name}/status`, {
    metadata: { uid, annotations: { [REDIRECTION_ANNOTATION]: outcome?.annotation ?? null } },
    status: { conditions: [conditionPatch(pod, outcome)] },
  });
  log.info('capture reported', {
    pod: `${namespace}/${name}`,
    state: outcome?.annotation ?? 'released',
  });
}

/** Undefined for states that a newer proxy may know. */
function outcomeOf({
  state,
  reason,
}: Pick<CaptureReport, 'state' | 'reason'>): Outcome | null | undefined {
  if (state === CaptureState.RELEASED) return null;
  if (state === CaptureState.CAPTURED) {
    const message = 'traffic flows through the node proxy';
    return { annotation: 'enabled', status: 'True', reason: 'Captured', message };
  }
  if (state !== CaptureState.PENDING) return undefined;
  const message = reason || 'the node proxy keeps trying';
  return { annotation: 'pending', status: 'False', reason: 'Pending', message };
}

function isWritten(pod: Pod, outcome: Outcome | null): boolean {
  const condition = conditionOf(pod);
  if (annotationsOf(pod)[REDIRECTION_ANNOTATION] !== outcome?.annotation) return false;
  if (outcome === null) return condition === undefined;
  return condition?.status === outcome.status && condition.message === outcome.message;
}

function conditionPatch(pod: Pod, outcome: Outcome | null): Readonly<Record<string, unknown>> {
  if (outcome === null) return { type: CAPTURED_CONDITION, $patch: 'delete' };
  const known = conditionOf(pod);
  const { status, reason, message } = outcome;
  const lastTransitionTime =
    known?.status === status ? known.lastTransitionTime : timestampOf(new Date());
  return { type: CAPTURED_CONDITION, status, reason, message, lastTransitionTime };
}

function conditionOf(pod: Pod) {
  return pod.status?.conditions?.find(({ type }) => type === CAPTURED_CONDITION);
}
