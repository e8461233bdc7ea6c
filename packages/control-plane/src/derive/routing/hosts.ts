/** Hosts as Istio's resources name services (spec l7 1.1, 1.2). */
import { parseIpAddress } from '@aquifer/model';
import { type MeshSettings, serviceHostname } from '../mesh.ts';

/** A name without a dot is of a Service in the namespace; any other is a whole one, as are addresses and `*`. */
export function fullHostname(
  host: string,
  namespace: string,
  mesh: Pick<MeshSettings, 'clusterDomain'>,
): string {
  const isWhole =
    host === '' || host === '*' || host.includes('.') || parseIpAddress(host) !== null;
  return (isWhole ? host : serviceHostname(mesh, namespace, host)).toLowerCase();
}

/** Whether the two have names in common; a `*` at the start stands for anything. */
export function hostsOverlap(a: string, b: string): boolean {
  if (!a.startsWith('*')) return b.startsWith('*') ? a.endsWith(b.slice(1)) : a === b;
  if (!b.startsWith('*')) return b.endsWith(a.slice(1));
  return a.endsWith(b.slice(1)) || b.endsWith(a.slice(1));
}

/** Whether the pattern, which may begin with `*`, takes all that the name may stand for. */
export function hostCovers(pattern: string, name: string): boolean {
  return pattern.startsWith('*') ? name.endsWith(pattern.slice(1)) : pattern === name;
}
