import { setTimeout as delay } from 'node:timers/promises';
import type { Gateway } from '@aquifer/model/resources';
import { type Command, Option } from 'commander';
import { type Cluster, isNotFound } from '../cluster.ts';
import type { CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { formatData } from '../output/print.ts';
import { formatTable } from '../output/table.ts';

const GATEWAYS = { group: 'gateway.networking.k8s.io', version: 'v1', plural: 'gateways' } as const;
const WAYPOINT_CLASS = 'istio-waypoint';
const WAYPOINT_FOR = 'istio.io/waypoint-for';
const USE_WAYPOINT = 'istio.io/use-waypoint';
const DATAPLANE_MODE = 'istio.io/dataplane-mode';
const REVISION = 'istio.io/rev';
const POLL_MS = 300;

interface ApplyOptions {
  readonly namespace?: string;
  readonly name: string;
  readonly for?: string;
  readonly revision?: string;
  readonly enrollNamespace?: boolean;
  readonly overwrite?: boolean;
  readonly wait?: boolean;
  readonly waypointTimeout: string;
}

const EXAMPLES = `
Examples:
  aquifer waypoint apply -n shop --enroll-namespace --wait
  aquifer waypoint apply -n shop --name inventory --for workload
  aquifer waypoint list -A
  aquifer waypoint delete -n shop waypoint`;

export function addWaypoint(program: Command, context: CliContext): void {
  const group = program
    .command('waypoint')
    .description('Deploy, list and delete waypoints: L7 proxies of a namespace')
    .addHelpText('after', EXAMPLES);
  addApply(group, context);
  addList(group, context);
  addDelete(group, context);
}

function withNamespace(command: Command): Command {
  return command.option('-n, --namespace <namespace>', 'namespace (default: that of the context)');
}

function addApply(group: Command, context: CliContext): void {
  const command = withNamespace(group.command('apply').description('Deploy a waypoint'));
  command
    .option('--name <name>', 'name of the waypoint', 'waypoint')
    .addOption(
      new Option('--for <traffic>', 'traffic it takes').choices([
        'service',
        'workload',
        'all',
        'none',
      ]),
    )
    .option('-r, --revision <revision>', 'revision that owns it')
    .option('--enroll-namespace', 'label the namespace, so that its services use the waypoint')
    .option('--overwrite', 'with --enroll-namespace: replace a label that names another waypoint')
    .option('-w, --wait', 'wait until the waypoint is programmed')
    .option('--waypoint-timeout <duration>', 'how long to wait', '90s')
    .action((options: ApplyOptions) => apply(context, context.cluster(command), options));
}

async function apply(context: CliContext, cluster: Cluster, options: ApplyOptions): Promise<void> {
  const namespace = options.namespace ?? cluster.defaultNamespace;
  if (options.name === 'none') {
    throw new CliError('"none" is reserved: it opts out of waypoints', 'choose another --name');
  }
  const labels = await readNamespaceLabels(cluster, namespace);
  checkEnrolment(labels, namespace, options);
  await cluster.apply(waypointGateway(namespace, options));
  context.stdout.write(`✅ waypoint ${namespace}/${options.name} applied\n`);
  const gateway = { namespace, name: options.name };
  if (options.enrollNamespace || options.wait) {
    const timeoutMs = parseDuration(options.waypointTimeout);
    // Traffic that is sent to a waypoint never bypasses it, so it is not sent there before it serves.
    await context.progress.step(
      `waypoint ${namespace}/${options.name} is programmed and ready`,
      () => waitUntilReady(cluster, gateway, timeoutMs),
    );
  }
  if (options.enrollNamespace) {
    await enrol(cluster, namespace, options.name);
    context.stdout.write(
      `✅ namespace ${namespace} labeled with "${USE_WAYPOINT}: ${options.name}"\n`,
    );
  }
  if (labels[DATAPLANE_MODE] !== 'ambient') {
    context.stdout.write(
      `Warning: namespace ${namespace} is not enrolled in ambient. Traffic does not reach the waypoint until you run:\n` +
        `  kubectl label namespace ${namespace} ${DATAPLANE_MODE}=ambient\n`,
    );
  }
}

async function readNamespaceLabels(
  cluster: Cluster,
  name: string,
): Promise<Record<string, string>> {
  try {
    return (await cluster.core.readNamespace({ name })).metadata?.labels ?? {};
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new CliError(
      `namespace ${name} does not exist`,
      `create it with: kubectl create namespace ${name}`,
    );
  }
}

function checkEnrolment(
  labels: Readonly<Record<string, string>>,
  namespace: string,
  { enrollNamespace, overwrite, name }: ApplyOptions,
): void {
  const current = labels[USE_WAYPOINT];
  if (!enrollNamespace || overwrite || current === undefined || current === name) return;
  throw new CliError(
    `namespace ${namespace} already uses waypoint ${current}`,
    'add --overwrite to replace it',
  );
}

async function enrol(cluster: Cluster, namespace: string, name: string): Promise<void> {
  await cluster.objects.patch({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace, labels: { [USE_WAYPOINT]: name } },
  });
}

function waypointGateway(namespace: string, options: ApplyOptions) {
  const labels = {
    ...(options.for !== undefined && { [WAYPOINT_FOR]: options.for }),
    ...(options.revision !== undefined && { [REVISION]: options.revision }),
  };
  return {
    apiVersion: `${GATEWAYS.group}/${GATEWAYS.version}`,
    kind: 'Gateway',
    metadata: {
      name: options.name,
      namespace,
      ...(Object.keys(labels).length > 0 && { labels }),
    },
    spec: {
      gatewayClassName: WAYPOINT_CLASS,
      listeners: [{ name: 'mesh', port: 15_008, protocol: 'HBONE' }],
    },
  };
}

async function waitUntilReady(
  cluster: Cluster,
  gateway: GatewayName,
  timeoutMs: number,
): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  let last = 'no status was written';
  while (Date.now() < deadlineMs) {
    const problem = await notReadyBecause(cluster, gateway);
    if (problem === null) return;
    last = problem;
    await delay(POLL_MS);
  }
  throw new CliError(
    `timed out while waiting for waypoint ${gateway.namespace}/${gateway.name}: ${last}`,
    `see: kubectl describe gateway -n ${gateway.namespace} ${gateway.name}`,
  );
}

interface GatewayName {
  readonly namespace: string;
  readonly name: string;
}

/** Null when the Gateway is programmed and a pod of it is ready. */
async function notReadyBecause(cluster: Cluster, gateway: GatewayName): Promise<string | null> {
  const object = (await cluster.custom.getNamespacedCustomObject({
    ...GATEWAYS,
    ...gateway,
  })) as Gateway;
  const programmed = object.status?.conditions?.find(({ type }) => type === 'Programmed');
  if (programmed === undefined) return 'no status was written';
  if (programmed.status !== 'True') return `${programmed.reason}: ${programmed.message}`;
  const { items } = await cluster.core.listNamespacedPod({
    namespace: gateway.namespace,
    labelSelector: `gateway.networking.k8s.io/gateway-name=${gateway.name}`,
  });
  const isReady = items.some(({ status }) =>
    status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True'),
  );
  return isReady ? null : 'no pod of the waypoint is ready';
}

function parseDuration(text: string): number {
  const [, amount, unit] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? [];
  const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit ?? ''];
  if (unitMs === undefined)
    throw new CliError(`${text} is not a duration`, 'write it like 90s or 2m');
  return Number(amount) * unitMs;
}

function addList(group: Command, context: CliContext): void {
  const command = withNamespace(group.command('list').description('List waypoints'));
  command
    .option('-A, --all-namespaces', 'of every namespace')
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['short', 'json', 'yaml'])
        .default('short'),
    )
    .action(
      async (options: {
        namespace?: string;
        allNamespaces?: boolean;
        output: 'short' | 'json' | 'yaml';
      }) => {
        const cluster = context.cluster(command);
        const namespace = options.allNamespaces
          ? null
          : (options.namespace ?? cluster.defaultNamespace);
        const waypoints = await listWaypoints(cluster, namespace);
        if (options.output !== 'short') context.stdout.write(formatData(waypoints, options.output));
        else if (waypoints.length === 0) context.stdout.write('No waypoints found.\n');
        else context.stdout.write(waypointTable(waypoints, options.allNamespaces ?? false));
      },
    );
}

async function listWaypoints(cluster: Cluster, namespace: string | null): Promise<Gateway[]> {
  const list =
    namespace === null
      ? await cluster.custom.listClusterCustomObject(GATEWAYS)
      : await cluster.custom.listNamespacedCustomObject({ ...GATEWAYS, namespace });
  return (list as { items: Gateway[] }).items.filter(
    ({ spec }) => spec.gatewayClassName === WAYPOINT_CLASS,
  );
}

function waypointTable(waypoints: readonly Gateway[], withNamespaces: boolean): string {
  const header = ['NAME', 'REVISION', 'TRAFFIC TYPE', 'PROGRAMMED'];
  const rows = waypoints.map(({ metadata, status }) => {
    const programmed = status?.conditions?.find(({ type }) => type === 'Programmed');
    const row = [
      metadata.name ?? '',
      metadata.labels?.[REVISION] ?? 'default',
      metadata.labels?.[WAYPOINT_FOR] ?? 'none',
      programmed?.status ?? 'Unknown',
    ];
    return withNamespaces ? [metadata.namespace ?? '', ...row] : row;
  });
  return formatTable(withNamespaces ? ['NAMESPACE', ...header] : header, rows);
}

function addDelete(group: Command, context: CliContext): void {
  const command = withNamespace(
    group
      .command('delete [names...]')
      .description('Delete waypoints by name, or all of a namespace'),
  );
  command
    .option('--all', 'every waypoint of the namespace')
    .action(async (names: string[], options: { namespace?: string; all?: boolean }) => {
      const cluster = context.cluster(command);
      const namespace = options.namespace ?? cluster.defaultNamespace;
      const existing = (await listWaypoints(cluster, namespace)).map(
        ({ metadata }) => metadata.name ?? '',
      );
      for (const name of chooseWaypoints(names, existing, {
        namespace,
        all: options.all ?? false,
      })) {
        await cluster.custom.deleteNamespacedCustomObject({ ...GATEWAYS, namespace, name });
        context.stdout.write(`waypoint ${namespace}/${name} deleted\n`);
      }
    });
}

function chooseWaypoints(
  names: readonly string[],
  existing: readonly string[],
  { namespace, all }: { readonly namespace: string; readonly all: boolean },
): readonly string[] {
  if (all && names.length > 0) throw new CliError('give names or --all, not both');
  if (all) return existing;
  if (names.length === 0)
    throw new CliError(
      'no waypoint named',
      `name one, or use --all; existing: ${existing.join(', ') || 'none'}`,
    );
  const missing = names.filter((name) => !existing.includes(name));
  if (missing.length > 0) {
    throw new CliError(
      `no waypoint ${missing.join(', ')} in namespace ${namespace}`,
      `existing: ${existing.join(', ') || 'none'}`,
    );
  }
  return names;
}
