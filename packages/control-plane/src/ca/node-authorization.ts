/** Whether a node proxy may have a certificate for a workload (spec control-plane 4.3). */
import { err, type Identity, ok, parseIdentity, type Result } from '@aquifer/model';
import type { Pod } from '@aquifer/model/resources';
import type { Index } from '../collections/collection.ts';
import type { ClusterReader } from '../ingest/cluster-inputs.ts';
import type { Caller } from '../push/authenticate.ts';

/** The pods of the cluster. */
export interface Pods {
  readonly cluster: ClusterReader;
  readonly mesh: { readonly podsByNode: Index<Pod> };
}

/**
 * The identity that the caller may take, or why not. The caller must be a trusted node account (`namespace/name`), its
 * token must name a live pod of that account, and some pod of the wanted account must be on that pod's node.
 */
export function authorizeImpersonation(
  caller: Caller,
  wanted: string,
  { cluster, mesh }: Pods,
  trustedAccounts: readonly string[],
): Result<Identity, string> {
  const account = `${caller.namespace}/${caller.serviceAccount}`;
  if (!trustedAccounts.includes(account)) {
    return err(`caller (${account}) is not allowed to impersonate`);
  }
  const identity = parseIdentity(wanted);
  if (identity === null || identity.namespace === '' || identity.serviceAccount === '') {
    return err(`failed to validate impersonated identity ${wanted}`);
  }
  if (identity.trustDomain !== caller.identity.trustDomain) {
    return err(`${wanted} is not of the trust domain ${caller.identity.trustDomain}`);
  }
  const pod = podOfCaller(caller, cluster);
  if (!pod.ok) return pod;
  const node = pod.value.spec?.nodeName ?? '';
  const { namespace, serviceAccount } = identity;
  const isInstance = (candidate: Pod): boolean =>
    candidate.metadata.namespace === namespace &&
    (candidate.spec?.serviceAccountName ?? '') === serviceAccount &&
    candidate.status?.phase !== 'Failed';
  if (node === '' || !mesh.podsByNode.lookup(node).some(isInstance)) {
    return err(`no instances of "${namespace}/${serviceAccount}" found on node "${node}"`);
  }
  return ok(identity);
}

/** The live pod that the caller's token is bound to; a deleted or replaced pod is an error. */
export function podOfCaller(caller: Caller, cluster: ClusterReader): Result<Pod, string> {
  if (caller.pod === null) return err('the token names no pod');
  const { name, uid } = caller.pod;
  const key = `${caller.namespace}/${name}`;
  const pod = cluster.get('Pod', caller.namespace, name);
  if (pod === undefined) return err(`pod ${key} not found`);
  if (pod.metadata.uid !== uid) return err(`pod found, but UID does not match: ${key}`);
  if ((pod.spec?.serviceAccountName ?? '') !== caller.serviceAccount) {
    return err(`pod found, but ServiceAccount does not match: ${key}`);
  }
  return ok(pod);
}
