import { isNotFound } from './api-errors.ts';
import type { Cluster } from './cluster.ts';
import { CliError } from './errors.ts';

export const ZTUNNEL_NAMESPACE = 'istio-system';

/** Which ztunnel a command is about. */
export interface ZtunnelChoice {
  /** Namespace of a pod that is named without one. */
  readonly namespace?: string;
  readonly node?: string;
}

/** The named ztunnel, the one on the named pod's node, the one on the named node, or any. */
export async function findZtunnel(
  cluster: Cluster,
  pod: string | undefined,
  options: ZtunnelChoice,
): Promise<string> {
  return (await findZtunnels(cluster, pod, options))[0];
}

/** As `findZtunnel`, but all where neither a pod nor a node is named. */
export async function findZtunnels(
  cluster: Cluster,
  pod: string | undefined,
  options: ZtunnelChoice,
): Promise<[string, ...string[]]> {
  const { items } = await cluster.core.listNamespacedPod({
    namespace: ZTUNNEL_NAMESPACE,
    labelSelector: 'app=ztunnel',
  });
  const running = items.filter(({ status }) => status?.phase === 'Running');
  if (running.length === 0) {
    throw new CliError(
      `no ztunnel is running in ${ZTUNNEL_NAMESPACE}`,
      'see: kubectl get pods -n istio-system',
    );
  }
  const node = pod === undefined ? options.node : await nodeOfPod(cluster, pod, options);
  const chosen = running.filter(({ spec }) => node === undefined || spec?.nodeName === node);
  const [first, ...others] = chosen.map(({ metadata }) => metadata?.name ?? '');
  if (first === undefined) throw new CliError(`no ztunnel is running on node ${node}`);
  return [first, ...others];
}

/** `name`, or `name.namespace` as istioctl writes it. */
async function nodeOfPod(
  cluster: Cluster,
  pod: string,
  options: ZtunnelChoice,
): Promise<string | undefined> {
  const [name = pod, inName] = pod.split('.', 2);
  const namespace = inName ?? options.namespace ?? cluster.defaultNamespace;
  try {
    return (await cluster.core.readNamespacedPod({ name, namespace })).spec?.nodeName;
  } catch (error) {
    if (isNotFound(error)) throw new CliError(`pod ${namespace}/${name} does not exist`);
    throw error;
  }
}
