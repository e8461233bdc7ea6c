import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import type { Cluster } from '../cluster.ts';
import type { CliContext } from '../context.ts';
import { CliError } from '../errors.ts';

interface UninstallOptions {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly purge?: boolean;
}

export function addUninstall(program: Command, context: CliContext): void {
  program
    .command('uninstall')
    .description('Release every pod, then remove the mesh from a cluster')
    .option('-y, --yes', 'do not ask')
    .option('--dry-run', 'say what would be removed, and remove nothing')
    .option(
      '--purge',
      'also the namespace istio-system with the root key, and the custom resources, with every object of those kinds',
    )
    .addHelpText(
      'after',
      `
Namespaces and pods lose the label istio.io/dataplane-mode first, and nothing is removed before the node proxies have let
go of every pod: new connections go direct, and those that go through the mesh get five seconds to end. Gateways, routes and
policies stay, without effect.

Examples:
  aquifer uninstall --dry-run
  aquifer uninstall --yes`,
    )
    .action(async (options: UninstallOptions, command: Command) => {
      const cluster = await context.cluster(command);
      await uninstall(context, cluster, options);
    });
}

async function uninstall(
  context: CliContext,
  cluster: Cluster,
  { yes, dryRun, purge }: UninstallOptions,
): Promise<void> {
  const [{ installedObjects }, release, { objectKey }, { assertSupported }] = await Promise.all([
    import('../installation/installed.ts'),
    import('../installation/release.ts'),
    import('../installation/render.ts'),
    import('../installation/supported-cluster.ts'),
  ]);
  const found = await assertSupported(cluster);
  const objects = await installedObjects(cluster);
  if (objects.length === 0 && purge !== true)
    throw new CliError('there is no mesh in this cluster');
  const enrolled = await release.listEnrolled(cluster);
  const { progress, stdout } = context;
  stdout.write(
    `leave the mesh: ${list(enrolled.namespaces.map((name) => `namespace ${name}`))}${enrolled.pods.length > 0 ? `, ${enrolled.pods.length} labelled pods` : ''}
${found === 'helm' ? 'remains for helm uninstall' : 'removed'}: ${list(objects.map((object) => objectKey(object)))}
${purge === true ? 'purged: namespace istio-system, the custom resources that this command installed\n' : ''}`,
  );
  if (dryRun === true) return;
  if (yes !== true) await confirm();
  await progress.step('Pods leave the mesh', () => release.releasePods(cluster, enrolled));
  if (found === 'helm') {
    stdout.write('Every pod is released. Now: helm uninstall\n');
    return;
  }
  await remove(context, cluster, purge === true);
  if (enrolled.namespaces.length > 0) {
    stdout.write(
      `To enrol again what has left: kubectl label namespace ${enrolled.namespaces.join(' ')} istio.io/dataplane-mode=ambient\n`,
    );
  }
}

async function remove(context: CliContext, cluster: Cluster, purges: boolean): Promise<void> {
  const [{ installedObjects }, release, { deleteIfThere }, { untilPodsGone }] = await Promise.all([
    import('../installation/installed.ts'),
    import('../installation/release.ts'),
    import('../installation/apply.ts'),
    import('../installation/readiness.ts'),
  ]);
  const { progress } = context;
  const objects = await installedObjects(cluster);
  const proxies = objects.filter(({ kind }) => kind === 'DaemonSet');
  const others = objects.filter(({ kind }) => kind !== 'DaemonSet');
  await progress.step('Node proxies removed', async () => {
    for (const object of proxies) await deleteIfThere(cluster, object);
    await untilPodsGone(cluster, 'ztunnel');
  });
  await progress.step('Control plane removed', async () => {
    for (const object of others) await deleteIfThere(cluster, object);
    await untilPodsGone(cluster, 'istiod');
  });
  await progress.step('Waypoints and root certificates removed', () =>
    release.deleteGenerated(cluster),
  );
  if (purges) await progress.step('Purged', () => purge(cluster));
}

async function purge(cluster: Cluster): Promise<void> {
  const [{ MESH_NAMESPACE, readDefinitions }, { deleteIfThere, isOurs, readLive }] =
    await Promise.all([import('../installation/render.ts'), import('../installation/apply.ts')]);
  for (const definition of readDefinitions()) {
    const live = await readLive(cluster, definition);
    if (live !== null && isOurs(live)) await deleteIfThere(cluster, definition);
  }
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: MESH_NAMESPACE } };
  await deleteIfThere(cluster, namespace);
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.join(', ');
}

async function confirm(): Promise<void> {
  const remedy = 'repeat it with --yes, or look first with --dry-run';
  if (!process.stdin.isTTY) throw new CliError('this needs to be confirmed', remedy);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question('Remove the mesh? [y/N] ');
  terminal.close();
  if (!/^y(?:es)?$/i.test(answer.trim())) throw new CliError('nothing was removed');
}
