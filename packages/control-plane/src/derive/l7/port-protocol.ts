/** The ports of a service at its waypoint. */
import type { MeshPort } from '../ports.ts';
import { type L7Protocol, l7ProtocolOf } from '../protocol.ts';

export interface L7Port {
  readonly port: number;
  readonly protocol: L7Protocol;
}

/** The TCP ports, in the order of the service; UDP and SCTP never reach a waypoint. */
export function l7Ports(ports: readonly MeshPort[]): L7Port[] {
  return ports
    .filter(({ transport }) => transport === 'TCP')
    .map(({ number, protocol }) => ({ port: number, protocol: l7ProtocolOf(protocol) }));
}

/** Whether HTTP is served on the port, and whether bytes are passed through. */
export function speaks({ protocol }: L7Port, kind: 'http' | 'tcp'): boolean {
  return protocol === 'unknown' || (protocol === 'tcp') === (kind === 'tcp');
}
