import { setTimeout as delay } from 'node:timers/promises';
import type { Gateway } from '@aquifer/model/resources';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { apiMessage } from '../api-errors.ts';
import type { Cluster } from '../cluster.ts';
import type { CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { parseDuration, withNamespace } from '../option-values.ts';
import { formatData } from '../output/print.ts';
import { formatTable } from '../output/table.ts';
import {
  type GatewayName,
  type GatewayOptions,
  listWaypoints,
  programmedCondition,
  REVISION,
  readGateway,
  readNamespaceLabels,
  USE_WAYPOINT,
  WAYPOINT_FOR,
  waypointGateway,
} from '../waypoint-gateways.ts';
import { addDelete } from './waypoint-delete.ts';

const DATAPLANE_MODE = 'istio.io/dataplane-mode';
const POLL_MS = 300;
/** Spaces between columns: istioctl's tables of waypoints have two more than its others. */
const COLUMN_GAP = 5;
const DEFAULT_WAIT_MS = 90_000;

interface ApplyOptions extends GatewayOptions {
  readonly enrollNamespace?: boolean;
  readonly overwrite?: boolean;
  readonly wait?: boolean;
  readonly waypointTimeout: number;
}

const EXAMPLES = `
Examples:
  aquifer waypoint apply -n shop --enroll-namespace --wait
  aquifer waypoint apply -n shop --name inventory --for workload
  aquifer waypoint generate -n shop --for all | kubectl apply -f -
  aquifer waypoint list -A
  aquifer waypoint status -n shop
  aquifer waypoint delete -n shop waypoint`;

export function addWaypoint(program: Command, context: CliContext): void {
  const group = program
    .command('waypoint')
    .description('Generate, deploy, list and delete waypoints: L7 proxies of a namespace')
    .addHelpText('after', EXAMPLES);
  addGenerate(group, context);
  addApply(group, context);
  addStatus(group, context);
  addList(group, context);
  addDelete(group, context);
}

/** Options of the Gateway itself, which `generate` and `apply` share. */
function withGatewayOptions(command: Command): Command {
  return withNamespace(command)
    .option('--name <name>', 'name of the waypoint', waypointName, 'waypoint')
    .addOption(
      new Option('--for <traffic>', 'traffic it takes').choices([
        'service',
        'workload',
        'all',
        'none',
      ]),
    )
    .option('-r, --revision <revision>', 'revision that owns it');
}

function waypointName(text: string): string {
  if (text === 'none') {
    throw new InvalidArgumentError('"none" is reserved: it opts out of waypoints.');
  }
  return text || 'waypoint';
}

function withTimeout(command: Command): Command {
  return command.addOption(
    new Option('--waypoint-timeout <duration>', 'how long to wait')
      .argParser(parseDuration)
      .default(DEFAULT_WAIT_MS, '90s'),
  );
}

function addGenerate(group: Command, context: CliContext): void {
  withGatewayOptions(group.command('generate').description('Print a waypoint as YAML'))
    .addHelpText('after', '\nExample:\n  aquifer waypoint generate -n shop | kubectl apply -f -')
    .action((options: GatewayOptions) => {
      context.stdout.write(formatData(waypointGateway(options.namespace, options), 'yaml'));
    });
}

function addApply(group: Command, context: CliContext): void {
  const command = withGatewayOptions(group.command('apply').description('Deploy a waypoint'))
    .option('--enroll-namespace', 'label the namespace, so that its services use the waypoint')
    .option('--overwrite', 'with --enroll-namespace: replace a label that names another waypoint')
    .option('-w, --wait', 'wait until the waypoint is programmed')
    .addHelpText(
      'after',
      `
Examples:
  aquifer waypoint apply -n shop --enroll-namespace --wait
  aquifer waypoint apply -n shop --name inventory --for workload --wait --waypoint-timeout 2m`,
    );
  withTimeout(command).action(async (options: ApplyOptions) =>
    apply(context, await context.cluster(command), options),
  );
}

async function apply(context: CliContext, cluster: Cluster, options: ApplyOptions): Promise<void> {
  const namespace = options.namespace ?? cluster.defaultNamespace;
  const labels = await readNamespaceLabels(cluster, namespace);
  checkEnrolment(labels, namespace, options);
  // Else the client says only that it does not know the kind.
  await listWaypoints(cluster, namespace);
  await cluster.apply(waypointGateway(namespace, options));
  context.stdout.write(`✅ waypoint ${namespace}/${options.name} applied\n`);
  const gateway = { namespace, name: options.name };
  if (options.enrollNamespace || options.wait) {
    // Traffic that is sent to a waypoint never bypasses it, so it is not sent there before it serves.
    await context.progress.step(
      `waypoint ${namespace}/${options.name} is programmed and ready`,
      () => waitUntilReady(cluster, gateway, options.waypointTimeout),
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

async function waitUntilReady(
  cluster: Cluster,
  gateway: GatewayName,
  timeoutMs: number,
): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  let last = 'no status was written';
  while (Date.now() < deadlineMs) {
    const problem = await notReadyBecause(cluster, gateway).catch(
      (error: Error) => apiMessage(error) ?? error.message,
    );
    if (problem === null) return;
    last = problem;
    await delay(POLL_MS);
  }
  throw new CliError(
    `timed out while waiting for waypoint ${gateway.namespace}/${gateway.name}: ${last}`,
    `see: kubectl describe gateway -n ${gateway.namespace} ${gateway.name}`,
  );
}

/** Null when the Gateway is programmed and a pod of it is ready. */
async function notReadyBecause(cluster: Cluster, gateway: GatewayName): Promise<string | null> {
  const programmed = programmedCondition(await readGateway(cluster, gateway));
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

function addList(group: Command, context: CliContext): void {
  const command = withNamespace(group.command('list').description('List waypoints'));
  command
    .addHelpText(
      'after',
      `
TRAFFIC TYPE is the label ${WAYPOINT_FOR}, as istioctl shows it; without one ("none") a waypoint takes that of services.

Examples:
  aquifer waypoint list -n shop
  aquifer waypoint list -A`,
    )
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
        const cluster = await context.cluster(command);
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

function waypointTable(waypoints: readonly Gateway[], withNamespaces: boolean): string {
  const header = ['NAME', 'REVISION', 'TRAFFIC TYPE', 'PROGRAMMED'];
  const rows = waypoints.map((waypoint) => {
    const { metadata } = waypoint;
    const programmed = programmedCondition(waypoint);
    const row = [
      metadata.name ?? '',
      metadata.labels?.[REVISION] ?? 'default',
      metadata.labels?.[WAYPOINT_FOR] ?? 'none',
      programmed?.status ?? 'False',
    ];
    return withNamespaces ? [metadata.namespace ?? '', ...row] : row;
  });
  return formatTable(withNamespaces ? ['NAMESPACE', ...header] : header, rows, COLUMN_GAP);
}

interface StatusOptions {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly wait: 'true' | 'false';
  readonly waypointTimeout: number;
}

function addStatus(group: Command, context: CliContext): void {
  const command = withNamespace(
    group.command('status').description('Show whether waypoints are programmed, and why not'),
  )
    .option('-A, --all-namespaces', 'of every namespace')
    .addOption(
      new Option('-w, --wait [wait]', 'wait until they are programmed')
        .choices(['true', 'false'])
        .preset('true')
        .default('true'),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  aquifer waypoint status -n shop\n  aquifer waypoint status -A --wait=false',
    );
  withTimeout(command).action(async (options: StatusOptions) =>
    showStatus(context, await context.cluster(command), options),
  );
}

async function showStatus(
  context: CliContext,
  cluster: Cluster,
  options: StatusOptions,
): Promise<void> {
  const all = options.allNamespaces ?? false;
  const namespace = all ? null : (options.namespace ?? cluster.defaultNamespace);
  const deadlineMs = Date.now() + (options.wait === 'true' ? options.waypointTimeout : 0);
  let waypoints = await listWaypoints(cluster, namespace);
  const unfinished = () =>
    waypoints.find((waypoint) => programmedCondition(waypoint)?.status !== 'True');
  while (unfinished() !== undefined && Date.now() < deadlineMs) {
    await delay(POLL_MS);
    waypoints = await listWaypoints(cluster, namespace);
  }
  context.stdout.write(
    waypoints.length === 0 ? 'No waypoints found.\n' : statusTable(waypoints, all),
  );
  const late = unfinished()?.metadata;
  if (options.wait === 'true' && late !== undefined) {
    throw new CliError(
      `timed out while retrieving status for waypoint\t${late.namespace}/${late.name}`,
      `see: kubectl describe gateway -n ${late.namespace} ${late.name}`,
    );
  }
}

function statusTable(waypoints: readonly Gateway[], withNamespaces: boolean): string {
  const header = ['NAME', 'STATUS', 'TYPE', 'REASON', 'MESSAGE'];
  const rows = waypoints.map((waypoint) => {
    const { namespace = '', name = '' } = waypoint.metadata;
    const {
      status = 'Unknown',
      reason = 'Pending',
      message = 'no status was written',
    } = programmedCondition(waypoint) ?? {};
    const row = [name, status, 'Programmed', reason, message];
    return withNamespaces ? [namespace, ...row] : row;
  });
  return formatTable(withNamespaces ? ['NAMESPACE', ...header] : header, rows, COLUMN_GAP);
}
