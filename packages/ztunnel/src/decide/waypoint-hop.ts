import type { WorkloadView } from '@aquifer/control-plane-client/snapshot';
import type { GatewayAddress, Service, Workload } from '@aquifer/model';
import { formatIdentity, serviceKey } from '@aquifer/model';
import type { SocketAddress } from '@aquifer/wire';
import { type ChosenEndpoint, chooseAddress, chooseEndpoint } from './endpoint-choice.ts';

/** A waypoint or network gateway to send a connection to. */
export interface GatewayHop {
  readonly workload: Workload;
  readonly nextHop: SocketAddress;
  readonly expectedSans: readonly string[];
}

interface HopContext {
  /** What is looked for: both have an address or a hostname, and several instances. */
  readonly kind: 'waypoint' | 'network gateway';
  readonly source: Workload;
  readonly aimedAt: string;
  readonly random: () => number;
  readonly avoid: ReadonlySet<string>;
}

/** Finds an instance of a waypoint or gateway (spec ztunnel 3.5 and 3.6). The error is the text for the access log. */
export function resolveGateway(
  view: WorkloadView,
  reference: GatewayAddress,
  context: HopContext,
):
  | { readonly ok: true; readonly value: GatewayHop }
  | { readonly ok: false; readonly error: string } {
  const found = findGateway(view, reference, context.source);
  const chosen = chooseInstance(view, found, { reference, context });
  const { service, name } = found;
  const { destination } = reference;
  // An address is of one family, whatever the caller speaks; behind a hostname the caller's own is looked for.
  const aimedAt = destination.kind === 'address' ? destination.address : context.aimedAt;
  const ip = chosen && chooseAddress(chosen.workload, aimedAt, service);
  // One on another network has a gateway of its own, and needs no address.
  const isBehindGateway = chosen !== null && chosen.workload.network !== context.source.network;
  if (chosen === null || (ip === null && !isBehindGateway)) {
    return { ok: false, error: `unknown ${context.kind}: ${context.kind} ${name} not found` };
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

function chooseInstance(
  view: WorkloadView,
  { service, workload }: FoundGateway,
  { reference, context }: { readonly reference: GatewayAddress; readonly context: HopContext },
): ChosenEndpoint | null {
  const port = reference.hboneMtlsPort;
  if (service === null) return workload === null ? null : { workload, port };
  // A gateway's service must list the port.
  const mode = context.kind === 'waypoint' ? 'waypoint' : 'standard';
  return chooseEndpoint(view, service, { ...context, port, mode });
}

interface FoundGateway {
  readonly service: Service | null;
  readonly workload: Workload | null;
  readonly name: string;
}

function findGateway(
  view: WorkloadView,
  { destination }: GatewayAddress,
  source: Workload,
): FoundGateway {
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
