import type { Gateway } from '@aquifer/model/resources';
import type { Command } from 'commander';
import type { Cluster } from '../cluster.ts';
import type { CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { withNamespace } from '../option-values.ts';
import {
  GATEWAYS,
  listWaypoints,
  REVISION,
  readNamespaceLabels,
  USE_WAYPOINT,
} from '../waypoint-gateways.ts';

const USE_WAYPOINT_OF = 'istio.io/use-waypoint-namespace';

interface DeleteOptions {
  readonly namespace?: string;
  readonly all?: boolean;
  readonly revision?: string;
}

/** `aquifer waypoint delete`. */
export function addDelete(group: Command, context: CliContext): void {
  const command = withNamespace(
    group
      .command('delete [names...]')
      .description('Delete waypoints by name, all of a namespace, or those of a revision'),
  );
  command
    .option('--all', 'every waypoint of the namespace')
    .option('-r, --revision <revision>', 'every waypoint of the namespace that this revision owns')
    .addHelpText(
      'after',
      `
Examples:
  aquifer waypoint delete -n shop waypoint inventory
  aquifer waypoint delete -n shop --all`,
    )
    .action(async (names: string[], options: DeleteOptions) => {
      checkChoice(names, options, command);
      const cluster = await context.cluster(command);
      const namespace = options.namespace ?? cluster.defaultNamespace;
      const existing = await listWaypoints(cluster, namespace);
      const chosen = chooseWaypoints(names, existing, namespace, options.revision);
      for (const name of chosen) {
        await cluster.custom.deleteNamespacedCustomObject({ ...GATEWAYS, namespace, name });
        context.stdout.write(`waypoint ${namespace}/${name} deleted\n`);
      }
      await warnOfUsers(context, cluster, namespace, chosen);
      if (chosen.size === 0) context.stdout.write('No waypoints found.\n');
    });
}

/** Without its waypoint, the traffic of a namespace goes on; what only the waypoint enforced does not. */
async function warnOfUsers(
  context: CliContext,
  cluster: Cluster,
  namespace: string,
  deleted: ReadonlySet<string>,
): Promise<void> {
  const labels = await readNamespaceLabels(cluster, namespace);
  const used = labels[USE_WAYPOINT] ?? '';
  if (!deleted.has(used) || (labels[USE_WAYPOINT_OF] ?? namespace) !== namespace) return;
  context.stdout.write(
    `Warning: namespace ${namespace} is still labeled with "${USE_WAYPOINT}: ${used}". Its traffic passes no waypoint now, so HTTP routes and L7 policies do not apply. To take the label off:\n` +
      `  kubectl label namespace ${namespace} ${USE_WAYPOINT}-\n`,
  );
}

function checkChoice(names: readonly string[], options: DeleteOptions, command: Command): void {
  const isBulk = options.all === true || options.revision !== undefined;
  if (isBulk && names.length > 0) {
    command.error('error: give names, or --all or --revision, not both');
  }
  if (!isBulk && names.length === 0) {
    command.error('error: no waypoint named: name one, or use --all or --revision');
  }
}

function chooseWaypoints(
  names: readonly string[],
  waypoints: readonly Gateway[],
  namespace: string,
  revision: string | undefined,
): ReadonlySet<string> {
  const existing = waypoints.map(({ metadata }) => metadata.name ?? '');
  const missing = names.filter((name) => !existing.includes(name));
  if (missing.length > 0) {
    throw new CliError(
      `no waypoint ${missing.join(', ')} in namespace ${namespace}`,
      `existing: ${existing.join(', ') || 'none'}`,
    );
  }
  if (names.length > 0) return new Set(names);
  const owned = waypoints.filter(
    ({ metadata }) => revision === undefined || metadata.labels?.[REVISION] === revision,
  );
  return new Set(owned.map(({ metadata }) => metadata.name ?? ''));
}
