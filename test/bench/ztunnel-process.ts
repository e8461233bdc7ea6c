/**
 * One ztunnel data plane with one worker thread for one pod, without a control plane: what it would have sent is in
 * the JSON file that the only argument names. A process of its own, so that its time and memory can be read.
 */

import { readFileSync } from 'node:fs';
import { createLogger, keepTrafficYoung } from '@aquifer/runtime';
import { NetworkNamespace } from '../../packages/ztunnel/src/capture/netns.ts';
import { installRedirection } from '../../packages/ztunnel/src/capture/redirection.ts';
import { DataPlane } from '../../packages/ztunnel/src/data-plane/data-plane.ts';
import type { CapturedPod } from '../../packages/ztunnel/src/policy/captured-pod.ts';
import type { TestCertificate } from '../fixtures/certificates.ts';
import { SOCKET_SETTINGS } from '../fixtures/socket-settings.ts';

/** What the bench writes into the file. */
export interface ZtunnelProcessConfig {
  readonly pod: CapturedPod;
  readonly namespacePath: string;
  /** Serialised `istio.workload.Address` messages, base64. */
  readonly addresses: readonly { readonly name: string; readonly body: string }[];
  /** Milliseconds after which a tunnel that carries nothing is closed. */
  readonly poolIdleMs: number;
  /** By SPIFFE identity. */
  readonly certificates: Readonly<Record<string, TestCertificate>>;
}

const config = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as ZtunnelProcessConfig;
keepTrafficYoung();
const dataPlane = new DataPlane({
  threads: 1,
  config: {
    network: '',
    clusterId: 'Kubernetes',
    nodeName: 'node-1',
    logFormat: 'plain',
    logLevels: 'info',
    poolMaxStreams: 100,
    poolIdleMs: config.poolIdleMs,
    preserveSource: true,
    tunnelsToLoopback: true,
    clusterDomain: 'cluster.local',
    preferredNamespace: null,
    tls: { keyExchange: 'any', allowsTls12: false },
    checksRevocation: false,
    servesSocks: false,
    http2: {
      streamWindowBytes: 4_194_304,
      connectionWindowBytes: 16_777_216,
      maxFrameBytes: 1_048_576,
    },
    sockets: SOCKET_SETTINGS,
    decisionLevel: 'debug',
    exchangesBaggage: true,
    discovery: 'complete',
  },
  log: createLogger('bench', { format: 'plain', levels: 'info' }),
  onIdentities: () => undefined,
  onCertificateNeeded: (identity) => {
    const certificate = config.certificates[identity];
    if (certificate === undefined) throw new Error(`no certificate for ${identity}`);
    dataPlane.updateCertificate(identity, { kind: 'available', certificate });
  },
  onRevocation: () => undefined,
  onThreadLost: (error) => {
    throw error;
  },
});
await dataPlane.applyAddresses({
  resources: config.addresses.map(({ name, body }) => ({
    name,
    body: Uint8Array.from(Buffer.from(body, 'base64')),
  })),
  removed: [],
});
const namespace = NetworkNamespace.open(config.namespacePath);
await dataPlane.startPod(config.pod, namespace.fd);
await installRedirection(namespace, { node: 'bench', bypassInbound: false, captureDns: false });
// Otherwise nothing but the worker keeps this process alive, and the bench's end must end it.
process.stdin.resume().once('end', () => process.exit(0));
