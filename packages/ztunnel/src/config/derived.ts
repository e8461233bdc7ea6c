import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import type { ControlPlaneEndpoint } from '@aquifer/control-plane-client';
import { type ConfigProblem, type Logger, VERSION } from '@aquifer/runtime';
import type { SocketSettings } from '../capture/pod-sockets.ts';
import { PROXY_MARK } from '../capture/redirection.ts';
import type { DataPlaneConfig } from '../data-plane/data-plane.ts';
import type { ServerAddress } from './forms.ts';
import type { ZtunnelConfig } from './keys.ts';
import { workerThreads } from './worker-threads.ts';

const DEFAULT_DRAIN_MS = 5000;
const ZDS_PATH = '/var/run/ztunnel/ztunnel.sock';

/** What contradicts itself. */
export function contradictions(config: ZtunnelConfig): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const { proxyMode, dedicatedWorkload, localFile, localText, xdsAddress, caAddress } = config;
  if (proxyMode === 'dedicated' && dedicatedWorkload === null) {
    problems.push({ key: 'PROXY_WORKLOAD_INFO', message: 'is required in dedicated mode' });
  }
  if (proxyMode === 'shared' && config.nodeName === '') {
    problems.push({ key: 'NODE_NAME', message: 'is required' });
  }
  if (localFile !== null && localText !== null) {
    problems.push({ key: 'LOCAL_XDS', message: 'and LOCAL_XDS_PATH cannot both be set' });
  }
  if (xdsAddress === null && localFile === null && localText === null) {
    const message = 'is empty, and neither LOCAL_XDS_PATH nor LOCAL_XDS says what is in the mesh';
    problems.push({ key: 'XDS_ADDRESS', message });
  }
  if (xdsAddress === null && caAddress === null) {
    problems.push({ key: 'CA_ADDRESS', message: 'is required if XDS_ADDRESS is empty' });
  }
  return [...problems, ...socketProblems(config)];
}

/** Rules of captured pods know the proxy's sockets by this much of their mark. */
const MARK_MASK = 0xfff;

function socketProblems(config: ZtunnelConfig): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const { packetMark, proxyMode, reusesPorts } = config;
  const isKnown = packetMark === null || (packetMark & MARK_MASK) === PROXY_MARK;
  if (proxyMode === 'shared' && !isKnown) {
    const message = `must end in 0x539 in shared mode: what the proxy sends would be captured again`;
    problems.push({ key: 'PACKET_MARK', message });
  }
  if (!reusesPorts && threadsOf(config) > 1) {
    const message = 'is false: only one thread can listen, so ZTUNNEL_WORKER_THREADS must be 1';
    problems.push({ key: 'INPOD_PORT_REUSE', message });
  }
  return problems;
}

/** What the proxy's sockets in pods are like (spec ztunnel 1.7). */
function socketSettingsOf(config: ZtunnelConfig): SocketSettings {
  const { packetMark, proxyMode, keepAliveRetries: retries, reusesPorts, usesIpv6 } = config;
  const { keepAliveTimeMs, keepAliveIntervalMs } = config;
  const keepAlive = {
    ...{ timeSeconds: keepAliveTimeMs / 1000, intervalSeconds: keepAliveIntervalMs / 1000 },
    retries,
  };
  const userTimeoutMs = keepAliveTimeMs + retries * keepAliveIntervalMs;
  return {
    mark: packetMark ?? (proxyMode === 'shared' ? PROXY_MARK : null),
    keepAlive: config.keepsAlive ? keepAlive : null,
    userTimeoutMs: config.hasUserTimeout ? userTimeoutMs : null,
    reusesPorts,
    usesIpv6,
  };
}

/** Data-plane threads. */
export function threadsOf(config: ZtunnelConfig): number {
  const { threadWish: wish, cpuLimit, cpuRequest, cpuCount } = config;
  return workerThreads({ wish, cpuLimit, cpuRequest, cpuCount }, availableParallelism());
}

/** How long connections may go on when their pod has left the mesh, in ms. */
export function releaseDeadlineMs({ terminationDeadlineMs }: ZtunnelConfig): number {
  return terminationDeadlineMs ?? DEFAULT_DRAIN_MS;
}

/** How long connections may go on when the process is to end, in ms: Kubernetes ends the process at the end of its grace period (spec ztunnel 1.5). */
export function drainDeadlineMs(config: ZtunnelConfig): number {
  const { terminationDeadlineMs, gracePeriodSeconds } = config;
  if (terminationDeadlineMs !== null) return terminationDeadlineMs;
  if (gracePeriodSeconds === null) return DEFAULT_DRAIN_MS;
  const left = gracePeriodSeconds > 10 ? gracePeriodSeconds - 5 : gracePeriodSeconds - 1;
  return Math.max(1, left) * 1000;
}

export function clusterIdOf({ clusterId, metaClusterId }: ZtunnelConfig): string {
  return metaClusterId || clusterId;
}

/** The socket of Istio's node agent; null if nobody has provided for one: then the control plane says what to capture. */
export function zdsPathOf({ zdsPath }: ZtunnelConfig): string | null {
  return zdsPath ?? (existsSync(dirname(ZDS_PATH)) ? ZDS_PATH : null);
}

/** Where the container runtime offers to hold pods back; null if it does not. */
export function startGateOf({ nriSocket, startGateFailure }: ZtunnelConfig): {
  readonly socket: string;
  readonly onFailure: 'open' | 'closed';
} | null {
  // A folder without a socket: the runtime may offer it later.
  if (!existsSync(dirname(nriSocket))) return null;
  return { socket: nriSocket, onFailure: startGateFailure };
}

/** The discovery service; null if there is none. */
export function discoveryOf(config: ZtunnelConfig): ControlPlaneEndpoint | null {
  const { xdsAddress, rootCertPath, serverName, xdsHeaders } = config;
  if (xdsAddress === null) return null;
  return endpointOf(config, xdsAddress, { rootCertPath, serverName, headers: xdsHeaders });
}

/** The certificate authority: that of the control plane, unless another was named. */
export function authorityOf(config: ZtunnelConfig): ControlPlaneEndpoint {
  const { caAddress, xdsAddress, caRootCertPath, caServerName, caHeaders } = config;
  const rootCertPath = caRootCertPath ?? config.rootCertPath;
  const serverName = caServerName ?? (caAddress === null ? config.serverName : null);
  const address = caAddress ?? xdsAddress;
  if (address === null) throw new Error('no certificate authority');
  return endpointOf(config, address, { rootCertPath, serverName, headers: caHeaders });
}

function endpointOf(
  config: ZtunnelConfig,
  { address, isPlaintext }: ServerAddress,
  rest: Pick<ControlPlaneEndpoint, 'rootCertPath' | 'serverName' | 'headers'>,
): ControlPlaneEndpoint {
  const { tokenPath } = config;
  return {
    ...rest,
    address,
    clusterId: clusterIdOf(config),
    tokenPath,
    ...(isPlaintext && { rootCertPath: null }),
  };
}

/** The node of discovery requests (spec ztunnel 5.2). Metadata that is no JSON is left out, and said. */
export function describeNode(config: ZtunnelConfig, log: Logger) {
  const { podName, podNamespace, instanceIp, nodeName, metadata, jsonMetadata } = config;
  const json: Record<string, unknown> = {};
  for (const [key, text] of Object.entries(jsonMetadata)) {
    try {
      json[key] = JSON.parse(text);
    } catch (error) {
      log.warn('not JSON, left out', { key: `ISTIO_METAJSON_${key}`, error: String(error) });
    }
  }
  return {
    id: `ztunnel~${instanceIp}~${podName}.${podNamespace}~${podNamespace}.svc.cluster.local`,
    metadata: {
      VERSION,
      ...metadata,
      ...json,
      NAME: podName,
      NAMESPACE: podNamespace,
      INSTANCE_IPS: instanceIp,
      NODE_NAME: nodeName,
      CLUSTER_ID: clusterIdOf(config),
    } as Record<string, string>,
  };
}

/** What the data plane is told of it. */
export function dataPlaneConfigOf(config: ZtunnelConfig): DataPlaneConfig {
  const { nodeName, network, logFormat, logLevels, poolMaxStreams, poolIdleMs } = config;
  const { preserveSource, tunnelsToLoopback, clusterDomain, preferredNamespace } = config;
  const { allowsTls12, revocationPath, exchangesBaggage } = config;
  const { streamWindowBytes, connectionWindowBytes, maxFrameBytes } = config;
  return {
    clusterId: clusterIdOf(config),
    nodeName,
    network,
    logFormat,
    logLevels,
    poolMaxStreams,
    poolIdleMs,
    preserveSource,
    tunnelsToLoopback,
    clusterDomain,
    preferredNamespace,
    tls: { keyExchange: config.compliancePolicy === 'pqc' ? 'pqc' : 'any', allowsTls12 },
    servesSocks: config.servesSocks,
    sockets: socketSettingsOf(config),
    http2: { streamWindowBytes, connectionWindowBytes, maxFrameBytes },
    exchangesBaggage,
    decisionLevel: config.logsDecisions ? 'info' : 'debug',
    checksRevocation: revocationPath !== null,
    discovery: config.isOnDemand && config.xdsAddress !== null ? 'on-demand' : 'complete',
  };
}
