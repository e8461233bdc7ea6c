import type { KubernetesObject } from '@kubernetes/client-node';
import type { Cluster } from '../cluster.ts';
import { CliError } from '../errors.ts';
import { isOurs, readLive } from './apply.ts';

interface Definition extends KubernetesObject {
  readonly spec?: { readonly versions?: readonly { name: string; served: boolean }[] };
}

/** Custom resources that are to be applied, and those of somebody else that stay as they are. */
export interface DefinitionPlan {
  readonly applied: readonly KubernetesObject[];
  readonly kept: readonly string[];
}

/**
 * Custom resources that somebody else has installed are theirs: they stay if they serve the versions that the control plane
 * reads. Throws if one does not.
 */
export async function planDefinitions(
  cluster: Cluster,
  definitions: readonly KubernetesObject[],
): Promise<DefinitionPlan> {
  const applied: KubernetesObject[] = [];
  const kept: string[] = [];
  for (const definition of definitions) {
    const live = await readLive(cluster, definition);
    if (live === null || isOurs(live)) {
      applied.push(definition);
      continue;
    }
    const missing = missingVersions(definition, live);
    const name = definition.metadata!.name!;
    if (missing.length > 0) {
      throw new CliError(
        `custom resource ${name} was installed by somebody else and does not serve ${missing.join(', ')}`,
        'upgrade it, or delete it if nothing uses it',
      );
    }
    kept.push(name);
  }
  return { applied, kept };
}

function missingVersions(wanted: Definition, live: Definition): string[] {
  const served = new Set(
    live.spec?.versions?.filter((version) => version.served).map(({ name }) => name),
  );
  return (wanted.spec?.versions ?? []).map(({ name }) => name).filter((name) => !served.has(name));
}
