import { type Command, Option } from 'commander';
import type { Cluster } from '../cluster.ts';
import type { CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Tree } from '../installation/chosen-values.ts';
import type { PlannedChange } from '../installation/plan.ts';
import type { Manifests } from '../installation/render.ts';
import { collect, parseDuration } from '../option-values.ts';
import { formatTable } from '../output/table.ts';

interface InstallOptions {
  readonly set?: readonly string[];
  readonly values?: readonly string[];
  readonly dryRun?: boolean;
  readonly output: 'short' | 'json' | 'yaml';
  readonly timeout: number;
  readonly resetValues?: boolean;
}

export function addInstall(program: Command, context: CliContext): void {
  withValues(
    program
      .command('install')
      .description('Install the mesh into a cluster, and wait until it is ready'),
  )
    .addHelpText(
      'after',
      `
Examples:
  aquifer install --dry-run                                # what it would do
  aquifer install --set global.hub=registry.example.com/aquifer --set global.tag=v1
  aquifer install -f values.yaml
  aquifer install --dry-run -o yaml > mesh.yaml            # the manifests

The values are those of the Helm chart in deploy/chart; its values.yaml describes each.`,
    )
    .action(async (options: InstallOptions, command: Command) => {
      const cluster = await context.cluster(command);
      const { assertSupported } = await import('../installation/supported-cluster.ts');
      const found = await assertSupported(cluster);
      if (found !== 'absent' && options.dryRun !== true) {
        throw new CliError(
          'the mesh is installed here already',
          found === 'helm' ? 'change it with helm upgrade' : 'change it with: aquifer upgrade',
        );
      }
      await run(context, cluster, options, {});
    });
}

export function addUpgrade(program: Command, context: CliContext): void {
  withValues(
    program
      .command('upgrade')
      .description('Bring an installed mesh to this version, or to other values'),
  )
    .option('--reset-values', 'start from the defaults, not from the values it was installed with')
    .addHelpText(
      'after',
      `
Examples:
  aquifer upgrade --dry-run
  aquifer upgrade --set global.tag=v2                      # the other values stay`,
    )
    .action(async (options: InstallOptions, command: Command) => {
      const cluster = await context.cluster(command);
      const [{ assertSupported }, { installedValues }] = await Promise.all([
        import('../installation/supported-cluster.ts'),
        import('../installation/installed.ts'),
      ]);
      const found = await assertSupported(cluster);
      if (found === 'absent')
        throw new CliError('there is no mesh in this cluster', 'install it with: aquifer install');
      if (found === 'helm')
        throw new CliError('this mesh was installed by helm', 'change it with: helm upgrade');
      const earlier = options.resetValues === true ? {} : await installedValues(cluster);
      await run(context, cluster, options, earlier);
    });
}

function withValues(command: Command): Command {
  return command
    .option('--set <path=value>', 'set a value, as helm does; can be repeated', collect)
    .option('-f, --values <file>', 'file of values; can be repeated, later ones win', collect)
    .option('--dry-run', 'say what would change, and change nothing')
    .addOption(
      new Option('--timeout <duration>', 'how long to wait for each part')
        .argParser(parseDuration)
        .default(300_000, '5m'),
    )
    .addOption(
      new Option('-o, --output <format>', 'how to print what would change; yaml: the manifests')
        .choices(['short', 'json', 'yaml'])
        .default('short'),
    );
}

async function run(
  context: CliContext,
  cluster: Cluster,
  options: InstallOptions,
  earlier: Tree,
): Promise<void> {
  const [{ chooseValues }, { defaultValues, renderManifests }, { valuesRecord }] =
    await Promise.all([
      import('../installation/chosen-values.ts'),
      import('../installation/render.ts'),
      import('../installation/installed.ts'),
    ]);
  const { values: files = [], set = [] } = options;
  const values = chooseValues(defaultValues(), earlier, files, set);
  const manifests = renderManifests(values);
  const complete = {
    ...manifests,
    controlPlane: [...manifests.controlPlane, valuesRecord(values)],
  };
  if (options.dryRun === true) await showPlan(context, cluster, complete, options.output);
  else {
    await apply(context, cluster, complete, options.timeout);
    context.stdout.write(
      `The mesh is ready (images ${values.of('global.hub')}/…:${values.of('global.tag')}). Enrol a namespace:
  kubectl label namespace NAME istio.io/dataplane-mode=ambient
`,
    );
  }
}

async function showPlan(
  context: CliContext,
  cluster: Cluster,
  { definitions, controlPlane, nodeProxies }: Manifests,
  output: InstallOptions['output'],
): Promise<void> {
  const objects = [...definitions, ...controlPlane, ...nodeProxies];
  if (output === 'yaml') {
    const { stringify } = await import('yaml');
    const texts = objects.map((object) => stringify(object, { aliasDuplicateObjects: false }));
    context.stdout.write(texts.join('---\n'));
    return;
  }
  const [{ planDefinitions }, { planObjects }, { outdatedObjects }, { objectKey }] =
    await Promise.all([
      import('../installation/definitions.ts'),
      import('../installation/plan.ts'),
      import('../installation/installed.ts'),
      import('../installation/render.ts'),
    ]);
  const { applied, kept } = await planDefinitions(cluster, definitions);
  const changes = await planObjects(cluster, [...applied, ...controlPlane, ...nodeProxies]);
  const outdated = await outdatedObjects(cluster, [...controlPlane, ...nodeProxies]);
  const deletions = outdated.map((object): PlannedChange => {
    const namespace = object.metadata?.namespace ?? '';
    return { object: objectKey(object), namespace, action: 'delete', fields: [] };
  });
  const all = [...changes, ...deletions];
  context.stdout.write(
    output === 'json'
      ? `${JSON.stringify({ changes: all, kept }, null, 2)}\n`
      : planTable(all, kept),
  );
}

const FIELDS_SHOWN = 3;

function planTable(changes: readonly PlannedChange[], kept: readonly string[]): string {
  const shown = changes.filter(({ action }) => action !== 'unchanged');
  const rows = shown.map(({ action, object, namespace, fields }) => [
    action,
    namespace,
    object,
    fields.slice(0, FIELDS_SHOWN).join(', ') + (fields.length > FIELDS_SHOWN ? ' …' : ''),
  ]);
  const table =
    rows.length > 0 ? formatTable(['ACTION', 'NAMESPACE', 'OBJECT', 'FIELDS'], rows) : '';
  const unchanged = changes.length - shown.length;
  const others = kept.length > 0 ? `, ${kept.length} custom resources of somebody else stay` : '';
  return `${table}${shown.length} to change, ${unchanged} unchanged${others}\n`;
}

async function apply(
  context: CliContext,
  cluster: Cluster,
  { definitions, controlPlane, nodeProxies }: Manifests,
  timeoutMs: number,
): Promise<void> {
  const [
    { planDefinitions },
    { applyAll, deleteIfThere },
    { untilMeshReady },
    { outdatedObjects },
  ] = await Promise.all([
    import('../installation/definitions.ts'),
    import('../installation/apply.ts'),
    import('../installation/readiness.ts'),
    import('../installation/installed.ts'),
  ]);
  const { progress } = context;
  const { applied, kept } = await planDefinitions(cluster, definitions);
  if (kept.length > 0)
    progress.note(`  ${kept.length} custom resources were installed by somebody else, and stay`);
  await progress.step('Custom resources of Gateway API and Istio', () =>
    applyAll(cluster, applied),
  );
  await progress.step('Control plane (istiod)', async () => {
    await applyAll(cluster, controlPlane);
    await untilMeshReady(cluster, 'control plane', timeoutMs);
  });
  await progress.step('Node proxies (ztunnel)', async () => {
    await applyAll(cluster, nodeProxies);
    await untilMeshReady(cluster, 'node proxies', timeoutMs);
  });
  const outdated = await outdatedObjects(cluster, [...controlPlane, ...nodeProxies]);
  for (const object of outdated) await deleteIfThere(cluster, object);
}
