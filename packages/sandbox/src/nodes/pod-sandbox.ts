/** What a pod has before its containers: a network namespace, a cgroup, a directory, and a process that holds them. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { qosClass } from '@aquifer/model/kubernetes';
import type { NodeAddresses, PodAddressPool } from './addresses.ts';
import type { ContainerLimits } from './cgroup-hierarchies.ts';
import { type Cgroups, type GroupUsage, podGroup } from './cgroups.ts';
import { LAUNCH_ENVIRONMENT, pauseCommand } from './container-launch.ts';
import { namespacePath, nodeNamespace, podNamespace } from './network.ts';
import type { NodePod } from './node-pod.ts';
import type { PodLink, PodLinks } from './pod-links.ts';
import { resolvConf } from './resolv-conf.ts';

export interface PodSandboxDeps {
  readonly node: NodeAddresses;
  readonly addresses: PodAddressPool;
  readonly links: PodLinks;
  readonly cgroups: Cgroups;
  /** Holds a directory per pod. */
  readonly directory: string;
  /** Content of the machine's /etc/resolv.conf, for pods with dnsPolicy Default. */
  readonly machineResolvConf: string;
}

export class PodSandbox {
  readonly address: string;
  readonly hostname: string;
  /** File of the network namespace. */
  readonly network: string;
  /** Below it: `root` (copied over each container root), `volumes`, `containers`. */
  readonly directory: string;
  readonly #deps: PodSandboxDeps;
  readonly #group: string;
  readonly #link: PodLink | null;
  #pause: ChildProcess | null = null;
  #isReleased = false;

  private constructor(pod: NodePod, deps: PodSandboxDeps) {
    this.#deps = deps;
    this.directory = join(deps.directory, pod.metadata.uid);
    this.#group = podGroup(pod.metadata.uid, qosClass(pod.spec));
    if (pod.spec.hostNetwork === true) {
      this.#link = null;
      this.address = deps.node.address;
      this.hostname = deps.node.name;
      this.network = namespacePath(nodeNamespace(deps.node.name));
    } else {
      const namespace = podNamespace(pod.metadata);
      this.address = deps.addresses.take();
      this.#link = { namespace, address: this.address };
      this.hostname = (pod.spec.hostname ?? pod.metadata.name).slice(0, 63);
      this.network = namespacePath(namespace);
    }
  }

  /** Throws when the machine refuses; nothing stays behind then. */
  static async create(pod: NodePod, deps: PodSandboxDeps): Promise<PodSandbox> {
    const sandbox = new PodSandbox(pod, deps);
    try {
      await sandbox.#start(pod);
      return sandbox;
    } catch (error) {
      await sandbox.remove();
      throw error;
    }
  }

  /** Makes the group of a container and tells how to join it. Throws when the machine refuses a limit. */
  async containerGroup(containerId: string, limits: ContainerLimits): Promise<readonly string[]> {
    const group = `${this.#group}/${containerId}`;
    await this.#deps.cgroups.create(group, limits);
    return this.#deps.cgroups.joinFiles(group);
  }

  /** Whether the kernel has ended a process of the container at its limit of memory. */
  async hasRunOutOfMemory(containerId: string): Promise<boolean> {
    return this.#deps.cgroups.hasRunOutOfMemory(`${this.#group}/${containerId}`);
  }

  /** Null when the container is gone. */
  async containerUsage(containerId: string): Promise<GroupUsage | null> {
    return this.#deps.cgroups.usage(`${this.#group}/${containerId}`);
  }

  /** Kills what is left of a container, its children included. */
  async removeContainerGroup(containerId: string): Promise<void> {
    await this.#deps.cgroups.remove(`${this.#group}/${containerId}`);
  }

  /** Kills every process of the pod and gives namespace, address and cgroup back; its logs stay. */
  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#pause?.kill('SIGKILL');
    await this.#deps.cgroups.remove(this.#group);
    if (this.#link === null) return;
    await this.#deps.links.detach(this.#link);
    this.#deps.addresses.release(this.address);
  }

  /** Releases the pod and removes its directory. */
  async remove(): Promise<void> {
    await this.release();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Whether `address` is, and not only was, this pod's own. */
  get ownsAddress(): boolean {
    return this.#link !== null && !this.#isReleased;
  }

  async #start(pod: NodePod): Promise<void> {
    if (this.#link !== null) await this.#deps.links.attach(this.#link);
    await this.#deps.cgroups.create(`${this.#group}/pause`);
    await this.#writeFiles(pod);
    if (this.#link === null) return;
    const joinFiles = this.#deps.cgroups.joinFiles(`${this.#group}/pause`);
    const [program, ...args] = pauseCommand(this.network, joinFiles);
    const child = spawn(program, args, { stdio: 'ignore', env: LAUNCH_ENVIRONMENT, cwd: '/' });
    await new Promise<void>((resolve, reject) =>
      child.once('spawn', resolve).once('error', reject),
    );
    this.#pause = child;
  }

  async #writeFiles(pod: NodePod): Promise<void> {
    const etc = join(this.directory, 'root/etc');
    await mkdir(etc, { recursive: true });
    await mkdir(join(this.directory, 'volumes'));
    const aliases = (pod.spec.hostAliases ?? [])
      .map(({ ip, hostnames }) => `${ip}\t${(hostnames ?? []).join('\t')}\n`)
      .join('');
    const hosts = `# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n${this.address}\t${this.hostname}\n${aliases}`;
    await Promise.all([
      writeFile(join(etc, 'hosts'), hosts),
      writeFile(join(etc, 'hostname'), `${this.hostname}\n`),
      writeFile(join(etc, 'resolv.conf'), resolvConf(pod, this.#deps.machineResolvConf)),
    ]);
  }
}
