import { ApiStatusError } from '../api-status-error.ts';
import type { ContainerRef } from '../cluster-client.ts';
import type { ResourcePath } from '../http/request-info.ts';
import { isObject, listOr, objectOr, stringOr } from '../json.ts';
import { badRequest, notFound } from '../status.ts';
import type { Storage } from '../storage/storage.ts';

const pods = { group: '', plural: 'pods', kind: 'Pod' } as const;

/** The container that a request is about. */
export interface PodTarget {
  readonly ref: ContainerRef;
  /** False until the pod was put on a node. */
  readonly scheduled: boolean;
}

/** The container that a request names, or the pod's first. Throws 404 or 400. */
export function podTarget(storage: Storage, path: ResourcePath, query: URLSearchParams): PodTarget {
  const pod = storage.get('/pods', path.namespace, path.name);
  if (pod === null) throw notFound(pods, path.name);
  const spec = objectOr(pod.spec);
  const names = [spec.containers, spec.initContainers, spec.ephemeralContainers]
    .flatMap((list) => listOr(list))
    .filter(isObject)
    .map((container) => stringOr(container.name) ?? '');
  const asked = query.get('container');
  const container = asked === null || asked === '' ? names[0] : asked;
  if (container === undefined || !names.includes(container)) {
    throw badRequest(`container ${asked} is not valid for pod ${path.name}`);
  }
  return {
    ref: { namespace: path.namespace, pod: path.name, container },
    scheduled: (stringOr(spec.nodeName) ?? '') !== '',
  };
}

/** Throws 400 while the pod is on no node: nothing runs that could be reached. */
export function requireNode({ ref, scheduled }: PodTarget): ContainerRef {
  if (!scheduled) throw badRequest(`pod ${ref.pod} does not have a host assigned`);
  return ref;
}

/** The Status that ends an exec stream: success, the command's exit code, or why it could not run. */
export function exitStatus(code: number): Record<string, unknown> {
  if (code === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  };
}

/** The Status of an exec that did not run. */
export function failureStatus(cause: unknown): Record<string, unknown> {
  const message = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof ApiStatusError ? cause.code : 500;
  return { metadata: {}, status: 'Failure', message, reason: 'InternalError', code };
}
