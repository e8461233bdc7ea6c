/** From a route's backendRef to a cluster (spec control-plane 6.2, recording l7/07). */
import { serviceHostname } from '../mesh.ts';
import { meshServiceKey } from '../mesh-service.ts';
import { inboundCluster, outboundCluster } from './names.ts';
import { l7Ports } from './port-protocol.ts';
import type { BackendRef } from './route-rule.ts';
import type { ServiceScope } from './scope.ts';

/** `hostname` is null when the reference can name no Service. */
export interface Backend {
  readonly cluster: string;
  readonly hostname: string | null;
}

/** A cluster that does not exist: requests to it are answered with the route's `cluster_not_found_response_code`. */
const UNKNOWN: Backend = { cluster: 'UnknownService', hostname: null };

/** A missing Service gets the name that it would have, so that its share of the requests fails. */
export function resolveBackend(
  ref: Pick<BackendRef, 'group' | 'kind' | 'namespace' | 'name' | 'port'>,
  routeNamespace: string,
  scope: ServiceScope,
): Backend {
  const { group = '', kind = 'Service', namespace = routeNamespace, name, port } = ref;
  if (group !== '' || kind !== 'Service' || port === undefined) return UNKNOWN;
  const hostname = serviceHostname(scope.mesh, namespace, name);
  const backend = scope.backends.get(meshServiceKey(scope.mesh, namespace, hostname));
  if (backend === undefined) return { cluster: inboundCluster('http', port, hostname), hostname };
  if (!backend.isReachedInbound) {
    return { cluster: outboundCluster(port, hostname), hostname };
  }
  const protocol = l7Ports(backend.service.ports).find(
    (candidate) => candidate.port === port,
  )?.protocol;
  return {
    cluster: inboundCluster(protocol === 'tcp' ? 'tcp' : 'http', port, hostname),
    hostname,
  };
}
