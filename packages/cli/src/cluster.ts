import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { KeptConnections } from '@aquifer/runtime/kept-connections';
import {
  AppsV1Api,
  CoreV1Api,
  CustomObjectsApi,
  type KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  PatchStrategy,
  PortForward,
} from '@kubernetes/client-node';
import { CliError } from './errors.ts';

/** Field manager of everything this command applies, so that it can be told from other tools' changes. */
export const FIELD_MANAGER = 'aquifer';

export interface ClusterOptions {
  /** From `--kubeconfig`. */
  readonly kubeconfig?: string | undefined;
  /** From `--context`. */
  readonly context?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where a sandbox of this machine keeps its kubeconfig. */
  readonly sandboxKubeconfig: string;
}

/** A Kubernetes API that commands talk to. Only commands that need one load this file: the client is large. */
export class Cluster {
  readonly config: KubeConfig;
  readonly apps: AppsV1Api;
  readonly core: CoreV1Api;
  readonly custom: CustomObjectsApi;
  readonly objects: KubernetesObjectApi;
  readonly portForward: PortForward;

  constructor(config: KubeConfig) {
    this.config = config;
    this.apps = config.makeApiClient(AppsV1Api);
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
  const paths = kubeconfigPaths(options);
  const where = paths.join(':');
  const config = new KeptConnections();
  try {
    config.loadFromFile(paths[0]!);
    for (const path of paths.slice(1)) {
      const further = new KeptConnections();
      further.loadFromFile(path);
      config.mergeConfig(further);
    }
  } catch (error) {
    throw new CliError(`kubeconfig ${where} cannot be read: ${(error as Error).message}`);
  }
  // The client says nothing, or undefined, of a file without one.
  const { context = config.getCurrentContext() || '' } = options;
  const known = config.getContexts().map(({ name }) => name);
  if (!known.includes(context)) {
    throw new CliError(
      context === ''
        ? `kubeconfig ${where} has no current context`
        : `kubeconfig ${where} has no context ${JSON.stringify(context)}`,
      `choose one with --context; existing: ${known.join(', ') || 'none'}`,
    );
  }
  config.setCurrentContext(context);
  if (config.getCurrentCluster() === null) {
    throw new CliError(`the cluster of context ${context} is missing from kubeconfig ${where}`);
  }
  return new Cluster(config);
}

/** The cluster of a kubeconfig's current context. */
export function clusterOfFile(kubeconfig: string): Cluster {
  const config = new KeptConnections();
  config.loadFromFile(kubeconfig);
  return new Cluster(config);
}

/** Existing files; what was named explicitly is never replaced by another cluster's. */
function kubeconfigPaths({ kubeconfig, env, sandboxKubeconfig }: ClusterOptions): string[] {
  if (kubeconfig !== undefined) {
    if (existsSync(kubeconfig)) return [kubeconfig];
    throw new CliError(`--kubeconfig ${kubeconfig}: no such file`);
  }
  if (env.KUBECONFIG) {
    const named = env.KUBECONFIG.split(':').filter((path) => path !== '' && existsSync(path));
    if (named.length > 0) return named;
    throw new CliError(
      `KUBECONFIG=${env.KUBECONFIG}: no such file`,
      'correct it, or unset it to use ~/.kube/config or the sandbox of this machine',
    );
  }
  const home = join(env.HOME ?? '/root', '.kube', 'config');
  const found = [home, sandboxKubeconfig].find((candidate) => existsSync(candidate));
  if (found !== undefined) return [found];
  throw new CliError(
    'no cluster to talk to: neither --kubeconfig, KUBECONFIG nor ~/.kube/config names one, and no sandbox runs here',
    'start one with: aquifer sandbox up',
  );
}
