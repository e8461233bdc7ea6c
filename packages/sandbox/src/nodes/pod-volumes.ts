/** The volumes of a pod as directories on this machine, which its containers see by bind mounts. */
import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import type { Container, PodSpec } from '@aquifer/model/resources';
import type { BindMount } from './container-launch.ts';
import { fieldValue, type NodeCapacity, resourceFieldValue } from './downward-fields.ts';
import { type ConfigSource, expandReferences } from './environment.ts';
import { allContainers, type NodePod } from './node-pod.ts';

type Volume = NonNullable<PodSpec['volumes']>[number];
type ProjectedSource = NonNullable<NonNullable<Volume['projected']>['sources']>[number];
type TokenSource = NonNullable<ProjectedSource['serviceAccountToken']>;
type Items = { key: string; path: string; mode?: number | undefined }[];

const TOKEN_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';
const DEFAULT_MODE = 0o644;
const DEFAULT_TOKEN_SECONDS = 3607;

interface TokenIssuer {
  /** A token for the pod's service account; `audience` null means the API server's own. */
  issueToken(pod: NodePod, audience: string | null, expirationSeconds: number): Promise<string>;
}

/** The directory behind a claim. */
interface ClaimedDirectory {
  readonly path: string;
  /** Made by the sandbox, which may change whose it is. */
  readonly isManaged: boolean;
}

export interface ClaimSource {
  /** Throws `VolumeError` when the claim is missing, or is bound to nothing that the sandbox can mount. */
  directory(namespace: string, claimName: string): Promise<ClaimedDirectory>;
}

export interface VolumeSources extends TokenIssuer {
  readonly config: ConfigSource;
  readonly claims: ClaimSource;
  readonly capacity: NodeCapacity;
}

/** A volume cannot be made yet, for instance because its ConfigMap does not exist. */
export class VolumeError extends Error {}

interface File {
  readonly path: string;
  readonly content: Buffer | string;
  readonly mode: number;
}

/** The volumes of one pod, below `directory`. */
export class PodVolumes {
  readonly #directory: string;
  readonly #sources: VolumeSources;
  /** When the token in a file is to be replaced, by file. */
  readonly #tokenRenewAtMs = new Map<string, number>();
  /** Where the claims are that the pod uses, by name of the volume. */
  readonly #claims = new Map<string, string>();

  constructor(directory: string, sources: VolumeSources) {
    this.#directory = directory;
    this.#sources = sources;
  }

  /**
   * Writes every volume, or brings it up to date: changed ConfigMaps and Secrets, and tokens that passed four fifths of
   * their life. Throws `VolumeError` with the kubelet's words when a source is missing.
   */
  async write(pod: NodePod): Promise<void> {
    for (const volume of volumesOf(pod)) await this.#writeVolume(pod, volume);
  }

  /** The mounts of one container. */
  mounts(
    pod: NodePod,
    container: Container,
    environment: Readonly<Record<string, string>>,
  ): readonly BindMount[] {
    const volumes = new Map(volumesOf(pod).map((volume) => [volume.name, volume]));
    const mounts = [...(container.volumeMounts ?? [])];
    const own = volumes.get(OWN_TOKEN_VOLUME);
    if (own !== undefined && !mounts.some(({ mountPath }) => mountPath === TOKEN_DIRECTORY)) {
      mounts.push({ name: own.name, mountPath: TOKEN_DIRECTORY, readOnly: true });
    }
    return mounts.flatMap((mount) => {
      const volume = volumes.get(mount.name);
      if (volume === undefined) return [];
      const below = mount.subPathExpr ?? mount.subPath ?? '';
      const path = expandReferences(below, environment);
      const root =
        this.#hostPath(volume) ?? this.#claims.get(volume.name) ?? this.#path(volume.name);
      return [bind(volume, { root, path, target: mount.mountPath, readOnly: mount.readOnly })];
    });
  }

  /** Null where a container runtime would make an empty directory on the node: the machine stays as it is. */
  #hostPath({ hostPath }: Volume): string | null {
    if (hostPath === undefined) return null;
    const isUnchecked = (hostPath.type ?? '') === '';
    return isUnchecked && !existsSync(hostPath.path) ? null : hostPath.path;
  }

  #path(volumeName: string): string {
    return join(this.#directory, volumeName);
  }

  async #writeVolume(pod: NodePod, volume: Volume): Promise<void> {
    const directory = this.#path(volume.name);
    if (volume.hostPath !== undefined) return this.#makeHostPath(volume);
    if (volume.persistentVolumeClaim !== undefined) return this.#findClaim(pod, volume);
    await mkdir(directory, { recursive: true });
    if (volume.emptyDir !== undefined) return openToAll(directory, pod);
    const { projected, configMap, secret, downwardAPI } = volume;
    const source = projected ?? configMap ?? secret ?? downwardAPI;
    const defaultMode = source?.defaultMode ?? DEFAULT_MODE;
    for (const source of sourcesOf(volume)) {
      const files = await this.#files(pod, source, directory);
      for (const file of files) {
        await writeAtomically(join(directory, file.path), { mode: defaultMode, ...file });
      }
    }
  }

  async #makeHostPath(volume: Volume): Promise<void> {
    if (volume.hostPath?.type === 'DirectoryOrCreate') {
      await mkdir(volume.hostPath.path, { recursive: true });
    } else if (this.#hostPath(volume) === null) {
      await mkdir(this.#path(volume.name), { recursive: true });
    }
  }

  async #findClaim(pod: NodePod, { name, persistentVolumeClaim }: Volume): Promise<void> {
    if (persistentVolumeClaim === undefined || this.#claims.has(name)) return;
    const { claimName } = persistentVolumeClaim;
    const found = await this.#sources.claims.directory(pod.metadata.namespace, claimName);
    if (found.isManaged) await openToAll(found.path, pod);
    this.#claims.set(name, found.path);
  }

  async #files(
    pod: NodePod,
    source: ProjectedSource,
    directory: string,
  ): Promise<(Omit<File, 'mode'> & { mode?: number })[]> {
    const { configMap, secret, downwardAPI, serviceAccountToken } = source;
    if (configMap !== undefined) return this.#keys(pod, 'configmap', configMap);
    if (secret !== undefined) return this.#keys(pod, 'secret', secret);
    if (serviceAccountToken !== undefined) return this.#token(pod, serviceAccountToken, directory);
    return (downwardAPI?.items ?? []).map((item) => {
      const owner = allContainers(pod.spec).find(
        ({ name }) => name === item.resourceFieldRef?.containerName,
      );
      const value =
        item.resourceFieldRef === undefined || owner === undefined
          ? fieldValue(pod, item.fieldRef?.fieldPath ?? '')
          : resourceFieldValue(owner, item.resourceFieldRef, this.#sources.capacity);
      if (!value.ok) throw new VolumeError(value.error);
      return { path: item.path, content: value.value, ...modeOf(item.mode) };
    });
  }

  async #keys(
    pod: NodePod,
    kind: 'configmap' | 'secret',
    reference: {
      name?: string | undefined;
      items?: Items | undefined;
      optional?: boolean | undefined;
    },
  ): Promise<(Omit<File, 'mode'> & { mode?: number })[]> {
    const name = reference.name ?? '';
    const data = await this.#sources.config.data(kind, pod.metadata.namespace, name);
    if (data === null) {
      if (reference.optional === true) return [];
      throw new VolumeError(`${kind} "${name}" not found`);
    }
    const items: Items = reference.items ?? Object.keys(data).map((key) => ({ key, path: key }));
    return items.flatMap(({ key, path, mode }) => {
      const content = data[key];
      if (content !== undefined) return [{ path, content, ...modeOf(mode) }];
      if (reference.optional === true) return [];
      throw new VolumeError(`references non-existent ${kind} key: ${key}`);
    });
  }

  async #token(
    pod: NodePod,
    source: TokenSource,
    directory: string,
  ): Promise<(Omit<File, 'mode'> & { mode?: number })[]> {
    const key = join(directory, source.path);
    if (Date.now() < (this.#tokenRenewAtMs.get(key) ?? 0)) return [];
    const seconds = source.expirationSeconds ?? DEFAULT_TOKEN_SECONDS;
    const token = await this.#sources.issueToken(pod, source.audience || null, seconds);
    this.#tokenRenewAtMs.set(key, Date.now() + seconds * 800);
    return [{ path: source.path, content: token }];
  }
}

const OWN_TOKEN_VOLUME = 'kube-api-access';

/** The pod's volumes, with the service-account token where admission did not already add it. */
function volumesOf(pod: NodePod): readonly Volume[] {
  const volumes = pod.spec.volumes ?? [];
  const isMounted = allContainers(pod.spec).some((container) =>
    container.volumeMounts?.some(({ mountPath }) => mountPath === TOKEN_DIRECTORY),
  );
  if (isMounted || pod.spec.automountServiceAccountToken === false) return volumes;
  const sources: ProjectedSource[] = [
    { serviceAccountToken: { path: 'token', expirationSeconds: DEFAULT_TOKEN_SECONDS } },
    { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    {
      downwardAPI: {
        items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }],
      },
    },
  ];
  return [...volumes, { name: OWN_TOKEN_VOLUME, projected: { sources } }];
}

function sourcesOf(volume: Volume): readonly ProjectedSource[] {
  const { projected, configMap, secret, downwardAPI } = volume;
  if (projected !== undefined) return projected.sources ?? [];
  if (configMap !== undefined) return [{ configMap }];
  if (secret !== undefined) {
    const { secretName, items, optional } = secret;
    return [{ secret: { name: secretName, items, optional } }];
  }
  if (downwardAPI !== undefined) return [{ downwardAPI }];
  throw new VolumeError(`volume ${volume.name}: the sandbox has no volumes of this type`);
}

function bind(
  volume: Volume,
  mount: { root: string; path: string; target: string; readOnly: boolean | undefined },
): BindMount {
  const isFile =
    volume.hostPath?.type?.startsWith('File') === true || isFilePath(volume, mount.path);
  const source = normalize(join(mount.root, mount.path));
  if (!isFile && volume.hostPath === undefined) makeSubPath(mount.root, source);
  const isReadOnly = mount.readOnly === true || volume.persistentVolumeClaim?.readOnly === true;
  return {
    source,
    target: mount.target,
    kind: isFile ? 'file' : 'directory',
    readOnly: !isWritable(volume) || isReadOnly,
  };
}

/** Whoever may write into the volume may write into its parts. */
function makeSubPath(root: string, path: string): void {
  const highest = mkdirSync(path, { recursive: true });
  if (highest === undefined) return;
  const { mode } = statSync(root);
  for (let made = path; made.startsWith(highest); made = dirname(made)) chmodSync(made, mode);
}

/** Holds what containers write; the others hold files of the API. */
function isWritable({ emptyDir, hostPath, persistentVolumeClaim }: Volume): boolean {
  return (emptyDir ?? hostPath ?? persistentVolumeClaim) !== undefined;
}

/** A subPath into a ConfigMap, Secret or projected volume names one of its files. */
function isFilePath(volume: Volume, path: string): boolean {
  return path !== '' && !isWritable(volume);
}

function modeOf(mode: number | undefined): { mode?: number } {
  return mode === undefined ? {} : { mode };
}

async function openToAll(directory: string, pod: NodePod): Promise<void> {
  const group = pod.spec.securityContext?.fsGroup;
  if (group !== undefined) await chown(directory, 0, group);
  await chmod(directory, group === undefined ? 0o777 : 0o2777);
}

/** A reader sees the old content or the new, never a part; unchanged files are left alone. */
async function writeAtomically(path: string, { content, mode }: File): Promise<void> {
  const before = await readFile(path).catch(() => null);
  if (before?.equals(Buffer.from(content)) === true) return;
  await mkdir(dirname(path), { recursive: true });
  const temporary = join(dirname(path), `..${Date.now()}.tmp`);
  await writeFile(temporary, content);
  await chmod(temporary, mode);
  await rename(temporary, path);
}
