import { type KubernetesObject, VersionApi } from '@kubernetes/client-node';
import type { Cluster } from '../cluster.ts';
import { CliError } from '../errors.ts';
import { MESH_NAMESPACE } from './render.ts';

/** The oldest Kubernetes whose API takes all our custom resources. */
const OLDEST_MINOR = 30;
const PART_OF = 'app.kubernetes.io/part-of';
const MANAGED_BY = 'app.kubernetes.io/managed-by';

/** How the mesh of a cluster has been installed; `absent`: there is none. */
export type Installation = 'absent' | 'ours' | 'helm';

/**
 * Says how the mesh that a cluster has was installed. Throws what speaks against installing here: a Kubernetes that is too
 * old, no Linux nodes, another mesh under the same names.
 */
export async function assertSupported(cluster: Cluster): Promise<Installation> {
  const { minor, gitVersion } = await cluster.config.makeApiClient(VersionApi).getCode();
  if (Number.parseInt(minor, 10) < OLDEST_MINOR) {
    throw new CliError(
      `this cluster runs Kubernetes ${gitVersion}; the mesh needs 1.${OLDEST_MINOR} or newer`,
    );
  }
  const { items: nodes } = await cluster.core.listNode();
  const onLinux = nodes.filter(({ status }) => status?.nodeInfo?.operatingSystem !== 'windows');
  if (onLinux.length === 0) throw new CliError('this cluster has no Linux nodes to run ztunnel on');
  const { items: named } = await cluster.apps.listDeploymentForAllNamespaces({
    labelSelector: 'app=istiod',
  });
  const foreign = named.find((deployment) => deployment.metadata?.labels?.[PART_OF] !== 'aquifer');
  if (foreign !== undefined) {
    const { namespace, name } = foreign.metadata!;
    throw new CliError(
      `deployment ${namespace}/${name} is another mesh's control plane; two of them would fight`,
      'uninstall it first; namespaces keep their labels',
    );
  }
  const own = named.find(({ metadata }) => metadata?.namespace === MESH_NAMESPACE);
  if (own === undefined) return 'absent';
  return isOfHelm(own) ? 'helm' : 'ours';
}

function isOfHelm({ metadata }: KubernetesObject): boolean {
  return metadata?.labels?.[MANAGED_BY] === 'Helm';
}
