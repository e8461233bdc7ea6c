/** Who looks at the control plane's state, and what of it is theirs to see (spec control-plane 3.5). */
import type { Caller } from '../../push/authenticate.ts';

/**
 * An operator sees everything: whoever is on the same machine, as through a port-forward, or has a token of the system
 * namespace. Other accounts see proxies of their own namespace.
 */
export type Viewer =
  | { readonly kind: 'operator' }
  | { readonly kind: 'tenant'; readonly namespace: string };

export const OPERATOR: Viewer = { kind: 'operator' };

export function viewerOf({ namespace }: Caller, systemNamespace: string): Viewer {
  return namespace === systemNamespace ? OPERATOR : { kind: 'tenant', namespace };
}

/** Whether the peer of a connection is on this machine. */
export function isLoopback(address: string | undefined): boolean {
  return /^(::ffff:)?127\.|^::1$/.test(address ?? '');
}

export function maySee(viewer: Viewer, proxy: { readonly namespace: string }): boolean {
  return viewer.kind === 'operator' || viewer.namespace === proxy.namespace;
}
