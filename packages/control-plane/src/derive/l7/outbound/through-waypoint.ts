/** Services whose waypoint also stands before what comes in by gateways (`istio.io/ingress-use-waypoint`; recording l7/29). */
import { serviceKey } from '@aquifer/model';
import { formatSocketAddress } from '@aquifer/wire';
import type { Context } from '../../../collections/cell.ts';
import type { MeshCollections } from '../../mesh-collections.ts';
import type { ServiceAssignment } from '../endpoints.ts';

type Through = Pick<ServiceAssignment, 'serviceKey' | 'servicePort' | 'labels' | 'through'>;

/** The waypoint in place of the workloads; nothing to change where there is none. `service` is by `meshServiceKey`. */
export function throughWaypoint(
  service: string,
  port: number,
  mesh: MeshCollections,
  context: Context,
): Through | null {
  const { ingressUseWaypoint, waypoint, addresses } =
    context.get(mesh.services, service)?.resource.value ?? {};
  const [own] = addresses ?? [];
  if (ingressUseWaypoint !== true || !waypoint || own === undefined) return null;
  const { destination } = waypoint;
  if (destination.kind !== 'hostname') return null;
  return {
    serviceKey: serviceKey(destination),
    servicePort: waypoint.hboneMtlsPort,
    labels: {},
    through: formatSocketAddress({ ip: own.address, port }),
  };
}
