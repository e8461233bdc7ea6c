import type { Cluster } from './cluster.ts';
import { CliError } from './errors.ts';
import type { PodName } from './pod-connection.ts';

const NAMESPACE = 'istio-system';
/** Where the control plane shows its state to whoever comes through a port-forward. */
export const MONITORING_PORT = 15014;

/** Every replica of the control plane that runs. Throws if there is none. */
export async function controlPlanePods({ core }: Cluster): Promise<[PodName, ...PodName[]]> {
  const { items } = await core.listNamespacedPod({
    namespace: NAMESPACE,
    labelSelector: 'app=istiod',
  });
  const [first, ...others] = items
    .filter(({ status }) => status?.phase === 'Running')
    .map(({ metadata }) => ({ namespace: NAMESPACE, name: metadata!.name! }));
  if (first !== undefined) return [first, ...others];
  throw new CliError(
    'no control plane runs in this cluster',
    'see: aquifer check; kubectl get pods -n istio-system',
  );
}
