import type { Duplex } from 'node:stream';
import { splice } from '@aquifer/hbone';
import type { ClusterManager } from '../clusters/cluster-manager.ts';
import type { TcpChain } from '../compile/listener.ts';

const NO_COUNTERS = { received: () => undefined, sent: () => undefined };

/** Passes bytes on to an endpoint of the chain's cluster; a connection without one is cut. */
export async function serveTcp(
  stream: Duplex,
  chain: TcpChain,
  clusters: ClusterManager,
): Promise<void> {
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

function chooseCluster({ targets }: TcpChain): string | null {
  const total = targets.reduce((sum, { weight }) => sum + weight, 0);
  let left = Math.random() * total;
  for (const { cluster, weight } of targets) {
    left -= weight;
    if (left < 0) return cluster;
  }
  return null;
}
