import {
  ConnectListener,
  type ConnectRequest,
  exchangeDuplex,
  type WorkloadCertificate,
} from '@aquifer/hbone';
import { formatIdentity } from '@aquifer/model';
import type { Logger } from '@aquifer/runtime';
import { decodeBaggage, parseAuthority, type SocketAddress } from '@aquifer/wire';
import type { ChainChoice } from '../compile/chain.ts';
import { MAIN } from '../data-plane/snapshot.ts';
import type { EngineDeps } from '../request/engine.ts';
import type { SourcePeer } from '../telemetry/source-peer.ts';
import { dispatch } from './dispatch.ts';

/** Streams per tunnel (spec l7 0.8). */
const MAX_STREAMS = 100;

export interface HboneTerminateOptions {
  readonly certificate: WorkloadCertificate;
  readonly trustDomain: string;
  readonly deps: EngineDeps;
  readonly log: Logger;
}

/** Serves 15008: unpacks connections from tunnels and gives each to the chain of its destination. */
export function terminateHbone(options: HboneTerminateOptions): ConnectListener {
  const { certificate, trustDomain, deps, log } = options;
  return new ConnectListener({
    certificate,
    trustDomain,
    maxConcurrentStreams: MAX_STREAMS,
    onConnect: (request) => accept(request, deps),
    onHandshakeFailed: ({ ip }, error) => {
      log.debug('tunnel was not opened', { peer: ip, error: error.message });
    },
  });
}

function accept(request: ConnectRequest, deps: EngineDeps): void {
  const authority = request.method === 'CONNECT' ? parseAuthority(request.authority) : null;
  if (authority?.kind !== 'address') {
    request.refuse(authority === null ? 400 : 404);
    return;
  }
  const { ip, port } = authority;
  const choice = deps.config.choose(ip, port);
  if (choice === null) void serveSoon(request, { ip, port }, deps);
  else void serve(request, { ip, port }, { choice, deps });
}

/** The caller's node proxy may have heard of the service before we have. */
async function serveSoon(
  request: ConnectRequest,
  destination: SocketAddress,
  deps: EngineDeps,
): Promise<void> {
  let isAborted = false;
  request.onAbort(() => {
    isAborted = true;
  });
  const choice = await deps.config.chooseSoon(destination.ip, destination.port);
  if (isAborted) return;
  if (choice === null) request.refuse(404);
  else await serve(request, destination, { choice, deps });
}

function serve(
  request: ConnectRequest,
  destination: SocketAddress,
  { choice, deps }: { readonly choice: ChainChoice; readonly deps: EngineDeps },
): Promise<void> {
  const info = {
    listener: MAIN,
    source: sourceOf(request),
    client: clientOf(request),
    destination,
  };
  return dispatch(exchangeDuplex(request.accept()), choice, info, deps);
}

/**
 * Whoever opened the tunnel: node proxies dial from the address of the pod that they act for. What a tunnel says in
 * `forwarded` is only as true as its sender, and decides nothing.
 */
function clientOf({ peer: { ip, port } }: ConnectRequest): SocketAddress {
  return { ip, port };
}

function sourceOf(request: ConnectRequest): SourcePeer {
  const baggage = decodeBaggage(request.header('baggage') ?? '');
  return {
    principal: formatIdentity(request.peer.identity),
    workload: baggage.workloadName,
    namespace: baggage.namespace,
    canonicalName: baggage.serviceName,
    canonicalRevision: baggage.revision,
    cluster: baggage.clusterId,
  };
}
