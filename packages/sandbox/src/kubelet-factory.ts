import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import type { ApiServer } from '@aquifer/kube-api';
import { installationRoot } from '@aquifer/runtime';
import { DATA } from './cleanup.ts';
import type { SandboxConfig } from './config.ts';
import { ImageStore } from './image-store/store.ts';
import { type NodeAddresses, PodAddressPool } from './nodes/addresses.ts';
import { Cgroups } from './nodes/cgroups.ts';
import { clusterClaimSource } from './nodes/claim-source.ts';
import { clusterConfigSource } from './nodes/config-source.ts';
import { machineMounts } from './nodes/container-launch.ts';
import { copyTools } from './nodes/container-tools.ts';
import { EventRecorder } from './nodes/event-recorder.ts';
import { ImageResolver } from './nodes/image-resolver.ts';
import type { Machine } from './nodes/images.ts';
import { Kubelet, type KubeletDeps } from './nodes/kubelet.ts';
import { NodeProber } from './nodes/node-prober.ts';
import type { VolumeSources } from './nodes/pod-volumes.ts';
import { StartSlots } from './nodes/start-slots.ts';

/** Every container of our own images sees it. */
const INSTALLATION = installationRoot(import.meta.dirname);

/** Programs wait for files and for each other while they start. */
const STARTS_PER_PROCESSOR = 2;

/** Makes the kubelets of this machine's nodes; what they have in common is looked up once. */
export async function kubeletFactory(
  config: SandboxConfig,
  api: ApiServer,
  on: Pick<KubeletDeps, 'onError' | 'onPodAddresses'>,
): Promise<(node: NodeAddresses) => Kubelet> {
  const { client } = api;
  const cgroups = new Cgroups();
  const capacity = { cpu: availableParallelism(), memoryBytes: totalmem() };
  const resolvConf = '/etc/resolv.conf';
  const machineResolvConf = existsSync(resolvConf) ? readFileSync(resolvConf, 'utf8') : '';
  const mounts = machineMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
  const machine: Machine = {
    installation: INSTALLATION,
    nodeBinary: process.execPath,
    path: config.path,
    compileCache: makeCompileCache(),
  };
  const volumeSources: VolumeSources = {
    config: clusterConfigSource(client),
    claims: clusterClaimSource(client),
    capacity,
    issueToken: ({ metadata, spec }, audience, expirationSeconds) =>
      api.serviceAccountToken({
        namespace: metadata.namespace,
        serviceAccount: spec.serviceAccountName ?? 'default',
        ...(audience === null ? {} : { audiences: [audience] }),
        expirationSeconds,
        pod: { name: metadata.name, uid: metadata.uid },
      }),
  };
  const store = new ImageStore(join(config.dataDirectory, DATA.images));
  const toolsDirectory = join(config.dataDirectory, DATA.tools);
  await copyTools(toolsDirectory, config.path);
  const images = new ImageResolver({ machine, ownImages: config.ownImages, store });
  const startSlots = new StartSlots(STARTS_PER_PROCESSOR * availableParallelism());
  return (node) =>
    new Kubelet({
      client,
      ...on,
      host: {
        node,
        images,
        layersDirectory: store.layersDirectory,
        toolsDirectory,
        machineMounts: mounts,
        capacity,
        volumeSources,
        events: new EventRecorder(client, 'kubelet', node.name),
        prober: new NodeProber(node.name),
        startSlots,
      },
      sandboxes: {
        node,
        addresses: new PodAddressPool(node.index),
        cgroups,
        directory: join(config.dataDirectory, DATA.pods),
        machineResolvConf,
      },
    });
}

/** Containers run as different users, and each leaves what it compiled to the next. */
function makeCompileCache(): string {
  const directory = join(INSTALLATION, 'node_modules', '.cache', 'aquifer-compile');
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, 0o1777);
  return directory;
}
