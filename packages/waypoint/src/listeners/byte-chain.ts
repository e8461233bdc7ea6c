import type { Duplex } from 'node:stream';
import { splice } from '@aquifer/hbone';
import type { ClusterManager } from '../clusters/cluster-manager.ts';
import type { TcpChain } from '../compile/listener.ts';
import type { AuthorizationInput } from '../compile/rbac.ts';
import type { ConnectionInfo } from '../request/connection.ts';

const NO_COUNTERS = { received: () => undefined, sent: () => undefined };

/** Passes bytes on to an endpoint of the chain's cluster; a connection without one is cut. */
export async function serveTcp(
  stream: Duplex,
  chain: TcpChain,
  { info, clusters }: { readonly info: ConnectionInfo; readonly clusters: ClusterManager },
): Promise<void> {
  if (isRefused(chain, info)) {
    stream.destroy();
    return;
  }
  const name = chooseCluster(chain);
  const host = name === null ? null : (clusters.get(name)?.pick([], 0) ?? null);
  if (host === null) {
    stream.destroy();
    return;
  }
  host.active += 1;
  try {
    await splice(stream, await host.pool.dial(), NO_COUNTERS);
  } catch {
    stream.destroy();
  } finally {
    host.active -= 1;
  }
}

/** Bytes have neither method nor path nor headers: rules on those match nothing (spec l7 5.4). */
function isRefused(chain: TcpChain, { source, client, destination }: ConnectionInfo): boolean {
  if (chain.authorization.length === 0) return false;
  const input: AuthorizationInput = {
    method: '',
    authority: '',
    path: '',
    header: () => null,
    query: () => null,
    peerPrincipal: source.principal,
    sourceIp: client.ip,
    destinationIp: destination.ip,
    destinationPort: destination.port,
  };
  return chain.authorization.some((filter) => filter(input) !== null);
}

function chooseCluster({ targets }: TcpChain): string | null {
  const total = targets.reduce((sum, { weight }) => sum + weight, 0);
  let left = Math.random() * total;
  for (const { cluster, weight } of targets) {
    left -= weight;
    if (left < 0) return cluster;
  }
  return null;
}
