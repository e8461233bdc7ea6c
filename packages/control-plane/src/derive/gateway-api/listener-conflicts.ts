/** Which listeners of one Gateway cannot be served beside each other (spec l7 4.2). */
import type { GatewayListener, Problem } from './gateway-listener.ts';

type Listener = Pick<GatewayListener, 'port' | 'protocol' | 'hostname'>;
type ReadAs = 'plaintext' | 'tls' | 'bytes';

/** How the bytes of a connection are read: what is read in different ways shares no port. What nobody serves is in nobody's way. */
const READ_AS: ReadonlyMap<string, ReadAs> = new Map([
  ['HTTP', 'plaintext'],
  ['HTTPS', 'tls'],
  ['TLS', 'tls'],
  ['TCP', 'bytes'],
]);

/** What is served on a port. */
interface Taken {
  readonly readAs: ReadAs;
  /** By hostname. */
  readonly protocols: Map<string, string>;
}

/** In the order of the listeners, of which an earlier one wins; null for those that are served. */
export function listenerConflicts(listeners: readonly Listener[]): (Problem | null)[] {
  const ports = new Map<number, Taken>();
  return listeners.map(({ port, protocol, hostname }) => {
    const readAs = READ_AS.get(protocol);
    if (readAs === undefined) return null;
    const taken = ports.get(port) ?? { readAs, protocols: new Map<string, string>() };
    const reason = conflict(taken, readAs, taken.protocols.get(hostname), protocol);
    if (reason === null) {
      ports.set(port, taken);
      taken.protocols.set(hostname, protocol);
      return null;
    }
    const message = 'Listener has a conflict with another listener attached to the same Gateway';
    return { reason, message };
  });
}

/**
 * Istio says nothing of plaintext and TLS on one port, and serves the first only (recording l7/21 has none). Here the other
 * is said to be in conflict.
 */
function conflict(
  { readAs, protocols }: Taken,
  wanted: ReadAs,
  rival: string | undefined,
  protocol: string,
): 'HostnameConflict' | 'ProtocolConflict' | null {
  if (protocols.size === 0) return null;
  if (readAs !== wanted || wanted === 'bytes') return 'ProtocolConflict';
  if (rival === undefined) return null;
  return rival === protocol ? 'HostnameConflict' : 'ProtocolConflict';
}
