import type { Authorization } from '@aquifer/model';
import { AuthorizationSchema, Scope } from '@aquifer/wire/gen/istio/security_pb';
import { fromBinary } from '@bufbuild/protobuf';

/**
 * What stands for a policy that is not known, and denies. It applies where its bytes say, as far as they can be read,
 * else to its namespace and to whoever lists it.
 */
export function standIn(name: string, body: Uint8Array | null): Authorization {
  const slash = name.indexOf('/');
  return {
    namespace: name.slice(0, Math.max(slash, 0)),
    name: name.slice(slash + 1),
    action: 'deny',
    groups: [[]],
    ...(body === null ? { scope: 'workload-selector', dryRun: false } : readableParts(body)),
  };
}

function readableParts(body: Uint8Array): Pick<Authorization, 'scope' | 'dryRun'> {
  try {
    const { scope, dryRun } = fromBinary(AuthorizationSchema, body);
    if (scope === Scope.GLOBAL) return { scope: 'global', dryRun };
    return { scope: scope === Scope.WORKLOAD_SELECTOR ? 'workload-selector' : 'namespace', dryRun };
  } catch {
    return { scope: 'namespace', dryRun: false };
  }
}
