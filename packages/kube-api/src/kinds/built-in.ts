/** What the built-in kinds do beyond storing: defaults by collection, and who counts generations. */

import { resolvePriority } from '../admission/priorities.ts';
import {
  autoscalerDefaults,
  bindingDefaults,
  customResourceDefinitionDefaults,
  endpointSliceDefaults,
  leaseDefaults,
  namespaceDefaults,
  secretDefaults,
  webhookDefaults,
} from '../defaults/other-defaults.ts';
import { admitPod, podDefaults } from '../defaults/pod-defaults.ts';
import { serviceDefaults } from '../defaults/service-defaults.ts';
import {
  admitClaim,
  claimDefaults,
  storageClassDefaults,
  volumeDefaults,
} from '../defaults/volume-defaults.ts';
import {
  admitJob,
  cronJobDefaults,
  daemonSetDefaults,
  deploymentDefaults,
  jobDefaults,
  replicaSetDefaults,
  statefulSetDefaults,
} from '../defaults/workload-defaults.ts';
import type { JsonObject } from '../json.ts';
import type { Storage } from '../storage/storage.ts';

/** Fills an object's own copy in place. */
export type Filler = (object: JsonObject) => void;

/** On every write. */
export const kindDefaults: Readonly<Record<string, Filler>> = {
  '/pods': podDefaults,
  '/services': serviceDefaults,
  '/namespaces': namespaceDefaults,
  '/secrets': secretDefaults,
  '/persistentvolumeclaims': claimDefaults,
  '/persistentvolumes': volumeDefaults,
  'storage.k8s.io/storageclasses': storageClassDefaults,
  'apps/deployments': deploymentDefaults,
  'apps/replicasets': replicaSetDefaults,
  'apps/daemonsets': daemonSetDefaults,
  'apps/statefulsets': statefulSetDefaults,
  'batch/jobs': jobDefaults,
  'batch/cronjobs': cronJobDefaults,
  'autoscaling/horizontalpodautoscalers': autoscalerDefaults,
  'coordination.k8s.io/leases': leaseDefaults,
  'discovery.k8s.io/endpointslices': endpointSliceDefaults,
  'rbac.authorization.k8s.io/clusterrolebindings': bindingDefaults,
  'rbac.authorization.k8s.io/rolebindings': bindingDefaults,
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': webhookDefaults,
  'admissionregistration.k8s.io/validatingwebhookconfigurations': webhookDefaults,
  'apiextensions.k8s.io/customresourcedefinitions': customResourceDefinitionDefaults,
};

/** Only on creation. */
export const kindAdmission: Readonly<
  Record<string, (object: JsonObject, storage: Storage) => void>
> = {
  '/pods': (pod, storage) => {
    admitPod(pod);
    resolvePriority(storage, pod);
  },
  'batch/jobs': admitJob,
  '/persistentvolumeclaims': admitClaim,
};

/** Built-in collections whose objects have `metadata.generation`; every custom resource has. */
export const countsGenerations: ReadonlySet<string> = new Set([
  '/pods',
  'apps/deployments',
  'apps/replicasets',
  'apps/daemonsets',
  'apps/statefulsets',
  'batch/jobs',
  'batch/cronjobs',
  'admissionregistration.k8s.io/mutatingwebhookconfigurations',
  'admissionregistration.k8s.io/validatingwebhookconfigurations',
  'apiextensions.k8s.io/customresourcedefinitions',
  'networking.k8s.io/ingresses',
  'networking.k8s.io/networkpolicies',
  'policy/poddisruptionbudgets',
]);
