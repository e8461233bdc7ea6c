/** The statuses of listeners of Gateways and of ListenerSets (spec control-plane 5.4, l7 4.9). */
import type {
  GatewayListener,
  ListenerProblems,
  ListenerSpec,
  Problem,
} from '../derive/gateway-api/gateway-listener.ts';
import { kindsOf } from '../derive/gateway-api/gateway-listener.ts';
import type { ConditionText } from '../status/condition-list.ts';

export interface ListenerStatus {
  readonly name: string;
  readonly attachedRoutes: number;
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
  readonly conditions: readonly ConditionText[];
}

const ROUTE_GROUP = 'gateway.networking.k8s.io';
const NO_ERRORS = 'No errors found';
const HBONE_PORT = 15008;

export function listenerStatus(
  { name, kinds, problems }: Pick<GatewayListener, 'name' | 'kinds' | 'problems'>,
  attachedRoutes: number,
): ListenerStatus {
  return {
    name,
    attachedRoutes,
    supportedKinds: kinds.map((kind) => ({ group: ROUTE_GROUP, kind })),
    conditions: conditionsOf(problems),
  };
}

/** A waypoint takes tunnels and nothing else; routes are not attached to it. */
export function waypointListenerStatus(spec: ListenerSpec): ListenerStatus {
  const { name, protocol, port } = spec;
  const { kinds, areAllKnown } = kindsOf(spec);
  const isHbone = protocol === 'HBONE' && port === HBONE_PORT;
  const problems = {
    ...(!isHbone && {
      Accepted: {
        reason: 'UnsupportedProtocol',
        message: 'Expected a single listener on port 15008 with protocol "HBONE"',
      },
    }),
    ...(!areAllKnown && {
      ResolvedRefs: { reason: 'InvalidRouteKinds', message: 'Invalid route kinds' },
    }),
  };
  return listenerStatus({ name, kinds, problems }, 0);
}

function conditionsOf(problems: ListenerProblems): ConditionText[] {
  const { Accepted, Conflicted, Programmed, ResolvedRefs } = problems;
  return [
    condition('Accepted', Accepted),
    Conflicted === undefined
      ? { type: 'Conflicted', status: 'False', reason: 'NoConflicts', message: NO_ERRORS }
      : { type: 'Conflicted', status: 'True', ...Conflicted },
    condition('Programmed', Programmed),
    condition('ResolvedRefs', ResolvedRefs),
  ];
}

function condition(type: string, problem: Problem | undefined): ConditionText {
  if (problem !== undefined) return { type, status: 'False', ...problem };
  return { type, status: 'True', reason: type, message: NO_ERRORS };
}
