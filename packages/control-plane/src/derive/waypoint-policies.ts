/** Condition `WaypointAccepted` of AuthorizationPolicies that are attached to something (spec control-plane 2.9). */
import type { AuthorizationPolicy } from '@aquifer/model/resources';
import type { ClusterReader } from '../ingest/cluster-inputs.ts';
import { WAYPOINT_CONTROLLER } from './labels.ts';
import { namespaceOf } from './object.ts';
import type { Waypoints } from './waypoints.ts';

export interface AttachmentVerdict {
  readonly status: 'True' | 'False';
  readonly reason:
    | 'Accepted'
    | 'AncestorNotBound'
    | 'TargetNotFound'
    | 'Invalid'
    | 'PartiallyInvalid';
  readonly message: string;
}

interface AttachmentContext {
  readonly cluster: ClusterReader;
  /** `namespace/name` of the waypoint that the services of that object are bound to; undefined if they are not. */
  boundTo(kind: ServiceKind, namespace: string, name: string): string | undefined;
  readonly waypoints: Waypoints;
  readonly rootNamespace: string;
}

type ServiceKind = 'Service' | 'ServiceEntry';
type TargetRef = NonNullable<NonNullable<AuthorizationPolicy['spec']>['targetRefs']>[number];

/** Null for policies that are attached to nothing, or to what the mesh does not know. */
export function deriveAttachment(
  policy: AuthorizationPolicy,
  context: AttachmentContext,
): AttachmentVerdict | null {
  const { targetRef, targetRefs = [] } = policy.spec ?? {};
  const targets = targetRef === undefined ? targetRefs : [targetRef, ...targetRefs];
  if (targets.some(({ kind }) => !Object.hasOwn(TARGETS, kind))) return null;
  const namespace = namespaceOf(policy);
  const results = targets.map((target) => ({
    target,
    verdict: TARGETS[target.kind]!(target.name, namespace, context),
  }));
  if (results.length < 2) return results[0]?.verdict ?? null;
  const bad = results.filter(({ verdict }) => verdict.status === 'False');
  if (bad.length === 0) return { status: 'True', reason: 'Accepted', message: '' };
  const names = bad.map(({ target }) => describe(target, namespace)).join(', ');
  const message = `Invalid targetRefs: ${names}`;
  return bad.length === results.length
    ? { status: 'False', reason: 'Invalid', message }
    : { status: 'True', reason: 'PartiallyInvalid', message };
}

type Judge = (name: string, namespace: string, context: AttachmentContext) => AttachmentVerdict;

const TARGETS: Readonly<Record<string, Judge>> = {
  Service: judgeService('Service'),
  ServiceEntry: judgeService('ServiceEntry'),
  Gateway: (name, namespace, { waypoints }) =>
    waypoints.get(`${namespace}/${name}`) !== undefined
      ? accepted(`${namespace}/${name}`)
      : refused('TargetNotFound', 'not bound'),
  GatewayClass: (name, namespace, { cluster, rootNamespace }) => {
    if (namespace !== rootNamespace) {
      return refused(
        'Invalid',
        `AuthorizationPolicy must be in the root namespace \`${rootNamespace}\` when referencing a GatewayClass`,
      );
    }
    const controller = cluster.get('GatewayClass', '', name)?.spec.controllerName;
    if (controller === undefined) return refused('TargetNotFound', 'not bound');
    if (controller === WAYPOINT_CONTROLLER) return accepted(name);
    return refused(
      'Invalid',
      `GatewayClass must use controller name \`${WAYPOINT_CONTROLLER}\` for waypoints`,
    );
  },
};

function judgeService(kind: ServiceKind): Judge {
  return (name, namespace, { cluster, boundTo }) => {
    if (cluster.get(kind, namespace, name) === undefined) {
      return refused('TargetNotFound', `${kind} ${namespace}/${name} was not found`);
    }
    const waypoint = boundTo(kind, namespace, name);
    if (waypoint !== undefined) return accepted(waypoint);
    return refused('AncestorNotBound', `${kind} ${namespace}/${name} is not bound to a waypoint`);
  };
}

function accepted(to: string): AttachmentVerdict {
  return { status: 'True', reason: 'Accepted', message: `bound to ${to}` };
}

function refused(reason: AttachmentVerdict['reason'], message: string): AttachmentVerdict {
  return { status: 'False', reason, message };
}

/** `<Kind>.<group>:<namespace>/<name>`; as recorded, a class is named with the policy's namespace too. */
function describe({ group, kind, name }: TargetRef, namespace: string): string {
  return `${kind}.${group || 'core'}:${namespace}/${name}`;
}
