/** From a container's specification to what is launched, or to the reason why it cannot be. */
import { join } from 'node:path';
import { err, ok, type Result } from '@aquifer/model';
import { quantityValue } from '@aquifer/model/kubernetes';
import type { Container } from '@aquifer/model/resources';
import type { ContainerLimits } from './cgroup-hierarchies.ts';
import type { ContainerRoot, Launch, Privileges } from './container-launch.ts';
import { commandLine, containerEnvironment } from './environment.ts';
import type { Program } from './images.ts';
import type { NodeHost } from './node-host.ts';
import { type NodePod, podKey } from './node-pod.ts';
import type { PodSandbox } from './pod-sandbox.ts';
import { type PodVolumes, VolumeError } from './pod-volumes.ts';

/** A container that cannot start for now. `reason` as in a waiting container's status. */
export interface SetupFailure {
  readonly reason: 'ErrImagePull' | 'CreateContainerConfigError';
  readonly message: string;
}

export interface SetupContext {
  readonly host: NodeHost;
  readonly pod: NodePod;
  readonly sandbox: PodSandbox;
  readonly volumes: PodVolumes;
}

/** `joinFiles` of the launch are left to the caller, who makes the container's group. */
export async function setUpContainer(
  container: Container,
  context: SetupContext,
): Promise<Result<Omit<Launch, 'joinFiles'>, SetupFailure>> {
  const { host, pod, sandbox, volumes } = context;
  const image = await host.images.resolve(container.image ?? '', await pullSecrets(context));
  if (!image.ok) return err({ reason: 'ErrImagePull', message: image.error });
  const privileges = containerPrivileges(pod, container, image.value);
  if (!privileges.ok) return configError(privileges.error);
  const environment = await containerEnvironment({
    pod,
    container,
    hostname: sandbox.hostname,
    image: image.value.environment,
    capacity: host.capacity,
    source: host.volumeSources.config,
  });
  if (!environment.ok) return configError(environment.error);
  const { layers } = image.value;
  if (layers === null && privileges.value.user !== null) environment.value.HOME = '/';
  try {
    await volumes.write(pod);
  } catch (error) {
    if (error instanceof VolumeError) return configError(error.message);
    throw error;
  }
  return ok({
    network: sandbox.network,
    hostname: sandbox.hostname,
    scratchDirectory: join(sandbox.directory, 'containers', container.name),
    overlayDirectory: join(sandbox.directory, 'root'),
    root: containerRoot(layers, host),
    firstProcess: pod.spec.hostPID === true ? host.prober.pid : null,
    mounts: [...image.value.mounts, ...volumes.mounts(pod, container, environment.value)],
    preparation: image.value.preparation,
    workingDirectory: container.workingDir ?? image.value.workingDirectory,
    input: containerInput(container),
    privileges: privileges.value,
    environment: environment.value,
    command: commandLine(container, image.value, environment.value),
  });
}

/** Those that are there: a Secret that is missing leaves a pod to pull as anybody, as with the kubelet. */
async function pullSecrets({ host, pod }: SetupContext): Promise<Record<string, Buffer>[]> {
  const names = (pod.spec.imagePullSecrets ?? []).flatMap(({ name }) => name ?? []);
  const { config } = host.volumeSources;
  const found = names.map((name) => config.data('secret', pod.metadata.namespace, name));
  return (await Promise.all(found)).filter((data) => data !== null);
}

function containerRoot(layers: Program['layers'], host: NodeHost): ContainerRoot {
  const { machineMounts, layersDirectory, toolsDirectory } = host;
  return layers === null
    ? { kind: 'machine', mounts: machineMounts }
    : { kind: 'image', layersDirectory, layers, toolsDirectory };
}

function containerInput({ stdin, stdinOnce, tty }: Container): Launch['input'] {
  return { isOpen: stdin === true, isOnce: stdinOnce === true, isTerminal: tty === true };
}

function configError(message: string): Result<never, SetupFailure> {
  return err({ reason: 'CreateContainerConfigError', message });
}

/** What `resources.limits` say. Amounts were checked when the pod was stored. */
export function containerLimits({ resources }: Container): ContainerLimits {
  const { cpu, memory } = resources?.limits ?? {};
  return {
    processors: cpu === undefined ? null : quantityValue(cpu),
    memoryBytes: memory === undefined ? null : Math.floor(quantityValue(memory)),
  };
}

/** The user and what it may do, from the container's and the pod's securityContext and the image's own user. */
function containerPrivileges(
  pod: NodePod,
  container: Container,
  image: Program,
): Result<Privileges, string> {
  const ofPod = pod.spec.securityContext ?? {};
  const merged = { ...ofPod, ...container.securityContext };
  const user = merged.runAsUser ?? image.user ?? 0;
  if (merged.runAsNonRoot === true && user === 0) {
    return err(
      `container has runAsNonRoot and image will run as root (pod: "${podKey(pod)}", container: ${container.name})`,
    );
  }
  // The image's groups are those of the image's user.
  const { group, supplementalGroups: groups } =
    merged.runAsUser === undefined ? image : groupsOfOther(image);
  const fsGroup = ofPod.fsGroup === undefined ? [] : [ofPod.fsGroup];
  return ok({
    user: user === 0 ? null : user,
    group: merged.runAsGroup ?? group,
    supplementalGroups: [...groups, ...(ofPod.supplementalGroups ?? []), ...fsGroup],
    capabilities: keptCapabilities(container),
    mayGainPrivileges: merged.allowPrivilegeEscalation !== false,
  });
}

/** Of a user that the pod chose. */
function groupsOfOther({ layers }: Program): Pick<Program, 'group' | 'supplementalGroups'> {
  return { group: layers === null ? null : 0, supplementalGroups: [] };
}

/** Null, all of them, unless the container drops ALL: then those that it adds. */
function keptCapabilities({ securityContext }: Container): readonly string[] | null {
  const { add = [], drop = [] } = securityContext?.capabilities ?? {};
  const dropsAll = drop.some((name) => name.toUpperCase() === 'ALL');
  if (!dropsAll || securityContext?.privileged === true) return null;
  return add.map((name) => name.replace(/^CAP_/i, ''));
}
