/** Puts the sandbox together: the order of the start, and its reverse. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ApiServer, startApiServer } from '@aquifer/kube-api';
import type { Logger } from '@aquifer/runtime';
import { cleanUp, DATA, removeAll } from './cleanup.ts';
import { publishClusterServices } from './cluster-services.ts';
import type { SandboxConfig } from './config.ts';
import { startControllers } from './controllers/controllers.ts';
import { SandboxError } from './errors.ts';
import { kubeletFactory } from './kubelet-factory.ts';
import { HOST_ADDRESS } from './nodes/addresses.ts';
import { DnsServer } from './nodes/dns.ts';
import { findProgram } from './nodes/find-program.ts';
import type { Kubelet } from './nodes/kubelet.ts';
import { createNetwork, nodeNamespace } from './nodes/network.ts';
import { NetworkPolicies } from './nodes/network-policies.ts';
import { podAccess } from './nodes/pod-access.ts';
import { ServiceProxy } from './nodes/service-proxy.ts';
import { takeLock } from './sandbox-lock.ts';

/** On the fabric only; pods reach it as 10.96.0.10:53. Not 53, which a resolver of the machine may hold on all addresses. */
const DNS_PORT = 10_053;

const PROGRAMS = [
  'ip',
  'nft',
  'nsenter',
  'unshare',
  'setpriv',
  'mount',
  'mkfifo',
  'pivot_root',
  'tar',
  'ldd',
];

export interface Sandbox {
  readonly url: string;
  readonly kubeconfigPath: string;
  /** Ends every pod and removes everything that the sandbox made. */
  stop(): Promise<void>;
}

export interface SandboxDeps {
  readonly log: Logger;
  /** Hears of each step of the start. */
  readonly onStep: (step: Readonly<Record<string, unknown>>) => void;
}

/** Throws `SandboxError` when the machine will not do; whatever was made until then is removed. */
export async function startSandbox(config: SandboxConfig, deps: SandboxDeps): Promise<Sandbox> {
  checkMachine(config);
  if (await cleanUp()) deps.onStep({ event: 'cleaned-up' });
  const lock = takeLock(config.dataDirectory, config.keepData);
  const stack = new AsyncDisposableStack();
  stack.defer(() => removeAll(lock));
  try {
    const api = await start(config, deps, stack);
    return {
      url: api.url,
      kubeconfigPath: join(config.dataDirectory, DATA.kubeconfig),
      stop: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function start(
  config: SandboxConfig,
  { log, onStep }: SandboxDeps,
  stack: AsyncDisposableStack,
): Promise<ApiServer> {
  const onError = (error: Error): void => log.warn(error.message);
  const nodes = await createNetwork(config.nodes);
  onStep({ event: 'network', nodes: nodes.map(({ name }) => name) });

  const kubelets: Kubelet[] = [];
  const api = await startApi(config, kubelets, log);
  stack.defer(() => api.stop());
  onStep({ event: 'api', url: api.url });
  const { client } = api;
  await publishClusterServices(client, { api: api.addresses[0]!.port, dns: DNS_PORT });

  const dns = new DnsServer(client);
  stack.defer(() => dns.stop());
  await dns.listen(HOST_ADDRESS, DNS_PORT);
  const controllers = await startControllers({
    client,
    volumesDirectory: join(config.dataDirectory, DATA.volumes),
    onError,
  });
  stack.defer(() => controllers.stop());
  const proxy = new ServiceProxy(
    client,
    nodes.map((node, position) => ({
      namespace: nodeNamespace(node.name),
      podAddresses: () => kubelets[position]?.podAddresses() ?? [],
    })),
    onError,
  );
  stack.defer(() => proxy.stop());
  const policies = new NetworkPolicies({
    client,
    nodes: new Map(nodes.map(({ name }) => [name, nodeNamespace(name)])),
    dnsPort: DNS_PORT,
    onError,
  });
  stack.defer(() => policies.stop());

  const onPodAddresses = (): void => proxy.changed();
  const makeKubelet = await kubeletFactory(config, api, { onError, onPodAddresses });
  kubelets.push(...nodes.map(makeKubelet));
  stack.defer(() => Promise.all(kubelets.map((kubelet) => kubelet.stop())).then(() => undefined));
  await Promise.all(kubelets.map((kubelet) => kubelet.start()));
  await writeStateFiles(config, api);
  return api;
}

async function startApi(
  config: SandboxConfig,
  kubelets: readonly Kubelet[],
  log: Logger,
): Promise<ApiServer> {
  const dataDirectory = join(config.dataDirectory, DATA.api);
  await mkdir(dataDirectory, { recursive: true });
  const api = await startApiServer({
    dataDirectory,
    listen: [{ host: '127.0.0.1', port: config.apiPort }],
    extraNames: [HOST_ADDRESS],
    onFault: (error) => log.error('the API failed', { error: error.stack ?? error.message }),
    podAccess: podAccess((namespace, pod) => {
      for (const kubelet of kubelets) {
        const worker = kubelet.worker(namespace, pod);
        if (worker !== null) return worker;
      }
      return null;
    }),
  });
  await api.listen({ host: HOST_ADDRESS, port: api.addresses[0]!.port });
  return api;
}

/** The kubeconfig is an administrator's: only its owner may read it. */
async function writeStateFiles(config: SandboxConfig, api: ApiServer): Promise<void> {
  const kubeconfig = join(config.dataDirectory, DATA.kubeconfig);
  await writeFile(kubeconfig, api.kubeconfig(), { mode: 0o600 });
  const state = {
    pid: process.pid,
    url: api.url,
    startedAt: new Date().toISOString(),
    kubeconfig,
  };
  const path = join(config.dataDirectory, DATA.state);
  // Whoever waits for the file reads all of it, or finds none.
  await writeFile(`${path}.new`, `${JSON.stringify(state, null, 2)}\n`);
  await rename(`${path}.new`, path);
}

function checkMachine(config: SandboxConfig): void {
  if (process.getuid?.() !== 0) {
    throw new SandboxError(
      'SB_NOT_ROOT',
      'the sandbox makes network namespaces, mounts and cgroups: run it as root (sudo)',
    );
  }
  const missing = PROGRAMS.filter((name) => findProgram(name, config.path) === null);
  if (missing.length === 0) return;
  throw new SandboxError(
    'SB_MISSING_PROGRAM',
    `missing on this machine: ${missing.join(', ')}; install them: apt-get install nftables iproute2 util-linux coreutils tar libc-bin`,
  );
}
