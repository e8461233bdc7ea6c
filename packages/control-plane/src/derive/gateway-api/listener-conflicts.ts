/** Which listeners of one Gateway cannot be served beside each other (spec l7 4.2). */
import type { GatewayListener, Problem } from './gateway-listener.ts';

type Listener = Pick<GatewayListener, 'port' | 'protocol' | 'hostname'>;

/** How the bytes of a connection are read: what is read in different ways shares no port. */
const READ_AS: Readonly<Record<string, 'plaintext' | 'tls' | 'bytes'>> = {
  HTTP: 'plaintext',
  HTTPS: 'tls',
  TLS: 'tls',
  TCP: 'bytes',
};

/** In the order of the listeners, of which an earlier one wins; null for those that are served. */
export function listenerConflicts(listeners: readonly Listener[]): (Problem | null)[] {
  const served: Listener[] = [];
  return listeners.map((listener) => {
    const reason = served.map((other) => conflict(listener, other)).find((found) => found !== null);
    if (reason === undefined) served.push(listener);
    return reason === undefined
      ? null
      : {
          reason,
          message: 'Listener has a conflict with another listener attached to the same Gateway',
        };
  });
}

/**
 * Istio says nothing of plaintext and TLS on one port, and serves the first only (recording l7/21 has none). Here the other
 * is said to be in conflict.
 */
function conflict(a: Listener, b: Listener): 'HostnameConflict' | 'ProtocolConflict' | null {
  if (a.port !== b.port) return null;
  const [one, other] = [READ_AS[a.protocol], READ_AS[b.protocol]];
  // What nobody serves is in nobody's way.
  if (one === undefined || other === undefined) return null;
  if (one !== other || one === 'bytes') return 'ProtocolConflict';
  if (a.hostname !== b.hostname) return null;
  return a.protocol === b.protocol ? 'HostnameConflict' : 'ProtocolConflict';
}
