/** What the status of a ServiceEntry says (spec control-plane 2.8; recordings wds/19, 31). */
import { type MeshService, racesAddresses } from './mesh-service.ts';
import { l7ProtocolOf } from './protocol.ts';
import { isWildcard } from './service-entry.ts';
import type { BoundCondition } from './waypoints.ts';

/** One service that an entry is, as far as its status tells of it. */
interface EntryService {
  readonly service: MeshService;
  readonly condition: BoundCondition | null;
  readonly waypoints: readonly string[];
}

/** A condition without its times. */
interface EntryCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** Every type that there may be. */
export const ENTRY_CONDITIONS: readonly string[] = [
  'istio.io/WaypointBound',
  'istio.io/WaypointMissing',
  'istio.io/VisibilityApplied',
  'WaypointAccepted',
];

const VISIBILITY = {
  public: { reason: 'Public', message: 'ServiceEntry is visible to the entire mesh (PUBLIC).' },
  namespace: {
    reason: 'Namespace',
    message:
      'ServiceEntry is visible only within its own namespace (NAMESPACE), per mesh serviceEntryVisibility.',
  },
} as const;

const UNRESOLVED =
  'spec.ports: with resolution DYNAMIC_DNS a request says by its host where it goes, so that connections to ports that are not of HTTP fail. Name each host in an entry with resolution DNS instead';

function isUnresolved({ resolution, ports }: MeshService): boolean {
  return (
    resolution === 'dynamic-dns' && ports.some(({ protocol }) => l7ProtocolOf(protocol) === 'tcp')
  );
}

/** `hasRules`: whether the mesh is configured to say who may see what. An entry that is no service says nothing. */
export function conditionsOfEntry(
  services: readonly EntryService[],
  hasRules: boolean,
): readonly EntryCondition[] {
  const [first] = services;
  if (first === undefined) return [];
  const conditions: EntryCondition[] = [];
  if (first.condition !== null) {
    conditions.push({ type: 'istio.io/WaypointBound', ...first.condition });
  }
  // Only a waypoint tells the names of a wildcard apart.
  if (services.some(({ service, waypoints }) => isWildcard(service.hostname) && !waypoints[0])) {
    conditions.push({
      type: 'istio.io/WaypointMissing',
      status: 'True',
      reason: 'NoWaypointForWildcardService',
      message: 'ServiceEntry will not apply until it is bound to a valid waypoint.',
    });
  }
  const isUnheeded = services.some(
    ({ service, waypoints }) => racesAddresses(service) && !waypoints[0],
  );
  if (isUnheeded && !conditions.some(({ type }) => type === 'istio.io/WaypointMissing')) {
    conditions.push({
      type: 'istio.io/WaypointMissing',
      status: 'True',
      reason: 'NoWaypointForRacingConnectStrategy',
      message:
        'The connect strategy will not apply until the ServiceEntry is bound to a valid waypoint.',
    });
  }
  if (services.some(({ service, waypoints }) => isUnresolved(service) && waypoints[0])) {
    conditions.push({
      type: 'WaypointAccepted',
      status: 'False',
      reason: 'UnsupportedValue',
      message: UNRESOLVED,
    });
  }
  if (hasRules) {
    const said = VISIBILITY[first.service.visibility];
    conditions.push({ type: 'istio.io/VisibilityApplied', status: 'True', ...said });
  }
  return conditions;
}
