/** Keeps the Endpoints of each Service with a selector: the older form of its EndpointSlices. */

import { type ApiObject, ApiStatusError } from '@aquifer/kube-api';
import type { Controller, ControllerDeps } from './controller.ts';
import { runController } from './controller.ts';
import { slicePorts } from './endpoint-slice.ts';
import { isFinished, isReady } from './pod-state.ts';
import { canonical } from './pod-template.ts';
import { ENDPOINTS } from './resource-keys.ts';
import { followPods, hasEndpoints, podsOf } from './service-pods.ts';

const MANAGED_BY = 'endpoints.kubernetes.io/managed-by';
const HEADLESS = 'service.kubernetes.io/headless';
const LAST_TRIGGER = 'endpoints.kubernetes.io/last-change-trigger-time';

export function runEndpoints(deps: ControllerDeps): Controller {
  const { client, informers, events } = deps;
  const controller = runController(
    deps,
    { parents: informers.services, kind: 'Service' },
    async (service) => {
      if (!hasEndpoints(service)) return;
      const { name, namespace = '' } = service.metadata;
      const stored = await client.get(ENDPOINTS, name, namespace);
      const { pods, strayed } = podsOf(service, informers);
      const subsets = subsetsOf(
        service,
        [...pods, ...strayed].filter((pod) => !isFinished(pod)),
      );
      const next = { ...endpointsOf(service, stored), ...(subsets.length > 0 ? { subsets } : {}) };
      if (stored !== null && !differs(stored, next)) return;
      try {
        if (stored === null) await client.create(ENDPOINTS, next);
        else await client.update(ENDPOINTS, next);
      } catch (error) {
        if (!(error instanceof ApiStatusError) || error.reason !== 'Invalid') throw error;
        const [what, verb] =
          stored === null
            ? ['FailedToCreateEndpoint', 'create']
            : ['FailedToUpdateEndpoint', 'update'];
        const message = `Failed to ${verb} endpoint ${namespace}/${name}: ${error.message}`;
        events.warning(stored ?? next, what, message);
      }
    },
  );
  followPods(informers, controller);
  return controller;
}

function endpointsOf(service: ApiObject, stored: ApiObject | null): ApiObject {
  const { name, namespace = '', labels = {} } = service.metadata;
  const headless = service.spec.clusterIP === 'None' ? { [HEADLESS]: '' } : {};
  const trigger = service.metadata.creationTimestamp ?? '';
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      ...(stored?.metadata ?? { annotations: { [LAST_TRIGGER]: trigger } }),
      name,
      namespace,
      labels: { ...labels, ...headless, [MANAGED_BY]: 'endpoint-controller' },
    },
  };
}

/** Pods with the same ports share a subset. */
function subsetsOf(service: ApiObject, pods: readonly ApiObject[]): unknown[] {
  const groups = Map.groupBy(pods, (pod) => JSON.stringify(slicePorts(service, pod)));
  const takesUnready = service.spec.publishNotReadyAddresses === true;
  return [...groups].map(([key, members]) => {
    const ports = (JSON.parse(key) as { name?: string }[]).map(({ name, ...port }) =>
      name === '' ? port : { name, ...port },
    );
    const sorted = members.toSorted((a, b) => (a.status.podIP < b.status.podIP ? -1 : 1));
    const isServing = (pod: ApiObject): boolean => takesUnready || isReady(pod);
    const ready = sorted.filter(isServing).map(address);
    const unready = sorted.filter((pod) => !isServing(pod)).map(address);
    return {
      ...(ready.length > 0 ? { addresses: ready } : {}),
      ...(unready.length > 0 ? { notReadyAddresses: unready } : {}),
      ...(ports.length > 0 ? { ports } : {}),
    };
  });
}

function address(pod: ApiObject): unknown {
  const { namespace = '', name, uid = '' } = pod.metadata;
  return {
    ip: pod.status.podIP,
    nodeName: pod.spec.nodeName ?? '',
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}

function differs(stored: ApiObject, next: ApiObject): boolean {
  const shown = ({ metadata, subsets = [] }: ApiObject): string =>
    JSON.stringify(canonical({ labels: metadata.labels, subsets }));
  return shown(stored) !== shown(next);
}
