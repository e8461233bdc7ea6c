import type { WorkloadView } from '@aquifer/control-plane-client/snapshot';
import type { GatewayAddress, Service, Workload } from '@aquifer/model';
import { formatIdentity, serviceKey } from '@aquifer/model';
import type { SocketAddress } from '@aquifer/wire';
import { chooseAddress, chooseEndpoint } from './endpoint-choice.ts';

/** A waypoint or network gateway to send a connection to. */
export interface GatewayHop {
  readonly workload: Workload;
  readonly nextHop: SocketAddress;
  readonly expectedSans: readonly string[];
}

/** What is looked for: both have an address or a hostname, and several instances. */
type GatewayKind = 'waypoint' | 'network gateway';

/** Finds an instance of a waypoint or gateway (spec ztunnel 3.5 and 3.6). The error is the text for the access log. */
export function resolveGateway(
  view: WorkloadView,
  reference: GatewayAddress,
  context: {
    readonly kind: GatewayKind;
    readonly source: Workload;
    readonly aimedAt: string;
    readonly random: () => number;
    readonly avoid: ReadonlySet<string>;
  },
):
  | { readonly ok: true; readonly value: GatewayHop }
  | { readonly ok: false; readonly error: string } {
  const { kind } = context;
  const { service, workload, name } = findGateway(view, reference, context.source);
  const { destination } = reference;
  // An address is of one family, whatever the caller speaks; behind a hostname the caller's own is looked for.
  const aimedAt = destination.kind === 'address' ? destination.address : context.aimedAt;
  const port = reference.hboneMtlsPort;
  const chosen =
    service === null
      ? workload && { workload, port }
      : chooseEndpoint(view, service, {
          ...context,
          port,
          // A gateway's service must list the port.
          mode: kind === 'waypoint' ? 'waypoint' : 'standard',
        });
  const ip = chosen && chooseAddress(chosen.workload, aimedAt, service);
  // One on another network has a gateway of its own, and needs no address.
  const isBehindGateway = chosen !== null && chosen.workload.network !== context.source.network;
  if (chosen === null || (ip === null && !isBehindGateway)) {
    return { ok: false, error: `unknown ${kind}: ${kind} ${name} not found` };
  }
  return {
    ok: true,
    value: {
      workload: chosen.workload,
      nextHop: { ip: ip ?? '', port: chosen.port },
      expectedSans: [...(service?.subjectAltNames ?? []), formatIdentity(chosen.workload)],
    },
  };
}

function findGateway(
  view: WorkloadView,
  { destination }: GatewayAddress,
  source: Workload,
): { service: Service | null; workload: Workload | null; name: string } {
  if (destination.kind === 'hostname') {
    return {
      service: view.service(serviceKey(destination)),
      workload: null,
      name: destination.hostname,
    };
  }
  const { network, address } = destination;
  const service = view.serviceByVip(network, address, source.namespace);
  const workload = service === null ? view.workloadByAddress(network, address) : null;
  return { service, workload, name: address };
}

/** Whether the workload is an instance of the waypoint, by service membership or by address. */
export function isInstanceOf(
  view: WorkloadView,
  workload: Workload,
  waypoint: GatewayAddress,
): boolean {
  const found = findGateway(view, waypoint, workload);
  if (found.service !== null) return workload.services.has(serviceKey(found.service));
  return found.workload?.uid === workload.uid;
}
