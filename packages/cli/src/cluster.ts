import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  ApiException,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  PatchStrategy,
  PortForward,
} from '@kubernetes/client-node';
import { CliError } from './errors.ts';

/** Field manager of everything this command applies, so that it can be told from other tools' changes. */
const FIELD_MANAGER = 'aquifer';

export interface ClusterOptions {
  /** From `--kubeconfig`. */
  readonly kubeconfig?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where a sandbox of this machine keeps its kubeconfig. */
  readonly sandboxKubeconfig: string;
}

/** A Kubernetes API that commands talk to. */
export class Cluster {
  readonly config: KubeConfig;
  readonly core: CoreV1Api;
  readonly custom: CustomObjectsApi;
  readonly objects: KubernetesObjectApi;
  readonly portForward: PortForward;

  constructor(config: KubeConfig) {
    this.config = config;
    this.core = config.makeApiClient(CoreV1Api);
    this.custom = config.makeApiClient(CustomObjectsApi);
    this.objects = KubernetesObjectApi.makeApiClient(config);
    this.portForward = new PortForward(config);
  }

  /** Server-side apply; creates or updates. */
  async apply(object: KubernetesObject): Promise<void> {
    await this.objects.patch(
      object,
      undefined,
      undefined,
      FIELD_MANAGER,
      true,
      PatchStrategy.ServerSideApply,
    );
  }

  /** The namespace of the current context. */
  get defaultNamespace(): string {
    const context = this.config.getContextObject(this.config.getCurrentContext());
    return context?.namespace ?? 'default';
  }
}

/** Finds a cluster as kubectl does (flag, KUBECONFIG, ~/.kube/config), else the sandbox of this machine. */
export function openCluster(options: ClusterOptions): Cluster {
  const config = new KubeConfig();
  const { kubeconfig, env, sandboxKubeconfig } = options;
  const named = kubeconfig ?? env.KUBECONFIG?.split(':').find(existsSync);
  const home = join(env.HOME ?? '/root', '.kube', 'config');
  const path = [named, home, sandboxKubeconfig].find(
    (candidate) => candidate !== undefined && existsSync(candidate),
  );
  if (path === undefined) {
    throw new CliError(
      'no cluster to talk to: neither --kubeconfig, KUBECONFIG nor ~/.kube/config names one, and no sandbox runs here',
      'start one with: aquifer sandbox up',
    );
  }
  config.loadFromFile(path);
  return new Cluster(config);
}

/** HTTP status of a failed API call; null if it was no answer of the API. */
export function apiStatus(error: unknown): number | null {
  return error instanceof ApiException ? error.code : null;
}

/** Whether the error says that the object does not exist. */
export function isNotFound(error: unknown): boolean {
  return apiStatus(error) === 404;
}
