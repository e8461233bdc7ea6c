/** `POST pods/NAME/eviction`: a deletion that disruption budgets may refuse (kubernetes `storage/eviction.go`). */
import { selects, timestampOf } from '@aquifer/model/kubernetes';
import { ApiStatusError } from '../api-status-error.ts';
import type { ApiObject } from '../cluster-client.ts';
import { isObject, listOr, objectOr, stringOr } from '../json.ts';
import { bodyRefusal } from '../objects/decode.ts';
import { checkedDeleteOptions, deleteObject } from '../objects/deletion.ts';
import type { WriteRequest } from '../objects/write-request.ts';
import type { ResourceRegistry, ServedResource } from '../resource-registry.ts';
import { noSuchResource } from '../status.ts';
import { type Exchange, objectBody, sendKind, writeRequestOf } from './exchange.ts';
import type { ResourcePath } from './request-info.ts';
import { type WriteDependencies, withDryRun } from './write-handlers.ts';

const BUDGETS = 'policy/poddisruptionbudgets';

type EvictionDependencies = WriteDependencies & { readonly registry: ResourceRegistry };

/** Throws 429 if a budget of the pod does not allow it: the client asks again later. */
export async function handleEviction(
  exchange: Exchange,
  dependencies: EvictionDependencies,
  resource: ServedResource,
  { namespace, name }: ResourcePath,
): Promise<void> {
  const body = await objectBody(exchange);
  const options = checkedDeleteOptions(objectOr(body.deleteOptions));
  const request = withDryRun(writeRequestOf(exchange), options);
  const pod = dependencies.objects.get(resource, { namespace, name });
  await askBudget(pod, dependencies, request);
  await deleteObject(dependencies, { resource, target: { namespace, name } }, options, request);
  sendKind(exchange.response, 201, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    code: 201,
  });
}

/** Takes one disruption from the budget that the pod counts for, if there is one. */
async function askBudget(
  pod: ApiObject,
  { storage, objects, registry }: EvictionDependencies,
  request: WriteRequest,
): Promise<void> {
  if (servesNobody(pod)) return;
  const { namespace = '', labels = {} } = pod.metadata;
  const [budget, another] = storage.list(BUDGETS, namespace).filter(({ spec }) => {
    return isObject(spec?.selector) && selects(spec.selector, labels);
  });
  if (another !== undefined) {
    const why =
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
    throw new ApiStatusError(500, 'InternalError', `Internal error occurred: ${why}`);
  }
  if (budget === undefined || isReplaceable(pod, budget)) return;
  const resource = registry.ofCollection(BUDGETS);
  if (resource === null) throw noSuchResource();
  const target = { namespace, name: budget.metadata.name };
  await objects.update(
    { resource, target, subresource: 'status', request },
    {
      refusal: bodyRefusal(resource),
      apply: (current) => {
        checkBudget(current);
        const { disruptionsAllowed, disruptedPods, ...status } = objectOr(current.status);
        // Until the deletion shows, the controller counts the pod as gone.
        const disrupted = {
          ...objectOr(disruptedPods),
          [pod.metadata.name]: timestampOf(new Date()),
        };
        const left = Number(disruptionsAllowed) - 1;
        return {
          ...current,
          status: { ...status, disruptionsAllowed: left, disruptedPods: disrupted },
        };
      },
    },
  );
}

/** It has not begun, has ended, or is on its way out: nothing is disrupted. */
function servesNobody({ metadata, status }: ApiObject): boolean {
  const phase = stringOr(status?.phase) ?? 'Pending';
  return metadata.deletionTimestamp !== undefined || phase !== 'Running';
}

/** A pod that is not ready may go as long as enough others are, or always if the budget says so. */
function isReplaceable({ status }: ApiObject, budget: ApiObject): boolean {
  const ready = listOr(status?.conditions)
    .map(objectOr)
    .find(({ type }) => type === 'Ready');
  if (ready?.status === 'True') return false;
  if (budget.spec.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = objectOr(budget.status);
  return Number(desiredHealthy) > 0 && Number(currentHealthy) >= Number(desiredHealthy);
}

function checkBudget({ metadata, status }: ApiObject): void {
  const {
    observedGeneration = 0,
    disruptionsAllowed = 0,
    currentHealthy = 0,
    desiredHealthy = 0,
  } = objectOr(status);
  if (Number(observedGeneration) < (metadata.generation ?? 0)) {
    throw refused(`The disruption budget ${metadata.name} is still being processed by the server.`);
  }
  if (Number(disruptionsAllowed) > 0) return;
  throw refused(
    `The disruption budget ${metadata.name} needs ${String(desiredHealthy)} healthy pods and has ${String(currentHealthy)} currently`,
  );
}

function refused(why: string): ApiStatusError {
  const message = "Cannot evict pod as it would violate the pod's disruption budget.";
  const causes = [{ reason: 'DisruptionBudget', message: why }];
  return new ApiStatusError(429, 'TooManyRequests', message, { causes });
}
