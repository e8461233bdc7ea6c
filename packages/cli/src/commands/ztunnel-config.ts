import { readFile } from 'node:fs/promises';
import type { ConfigDump } from '@aquifer/wire';
import { type Command, Option } from 'commander';
import { askPod } from '../admin-client.ts';
import type { CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { formatData, type OutputFormat } from '../output/print.ts';
import { connectionTable, openConnections } from '../ztunnel-connections.ts';
import { identityJson, policyJson, serviceJson, workloadJson } from '../ztunnel-json.ts';
import {
  findZtunnel,
  findZtunnels,
  ZTUNNEL_NAMESPACE,
  type ZtunnelChoice,
} from '../ztunnel-pods.ts';
import {
  byColumns,
  certificateTable,
  policyTable,
  serviceTable,
  workloadTable,
} from '../ztunnel-tables.ts';

interface SourceOptions extends ZtunnelChoice {
  readonly file?: string;
  readonly proxyAdminPort: string;
  readonly output: OutputFormat;
}

interface FilterOptions {
  readonly address?: string;
  readonly workloadNamespace?: string;
  readonly workloadNode?: string;
  readonly serviceNamespace?: string;
  readonly policyNamespace?: string;
}

type Options = SourceOptions & FilterOptions;

/** One kind of object in the dump: how it is chosen and shown. */
interface View {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly filters: readonly Option[];
  select(dump: ConfigDump, options: FilterOptions): readonly object[];
  table(selected: never, dump: ConfigDump): string;
  /** One object as JSON or YAML shows it. */
  json(object: never): object;
}

const VIEWS: readonly View[] = [
  {
    name: 'workload',
    aliases: ['workloads', 'w'],
    summary: 'Workloads that a ztunnel knows',
    filters: [
      new Option('--address <ip>', 'only the workload with this address'),
      new Option('--workload-namespace <namespace>', 'only workloads of this namespace'),
      new Option('--workload-node <node>', 'only workloads of this node'),
    ],
    select: ({ workloads }, { address, workloadNamespace, workloadNode }) =>
      workloads.filter(
        (workload) =>
          (address === undefined || workload.workloadIps.some((ip) => matches(ip, address))) &&
          matches(workload.namespace, workloadNamespace) &&
          matches(workload.node, workloadNode),
      ),
    table: workloadTable,
    json: workloadJson,
  },
  {
    name: 'service',
    aliases: ['services', 'svc', 's'],
    summary: 'Services that a ztunnel knows',
    filters: [new Option('--service-namespace <namespace>', 'only services of this namespace')],
    select: ({ services }, { serviceNamespace }) =>
      services
        .filter(({ namespace }) => matches(namespace, serviceNamespace))
        .toSorted((a, b) => byColumns([a.namespace, a.name], [b.namespace, b.name])),
    table: serviceTable,
    json: serviceJson,
  },
  {
    name: 'policy',
    aliases: ['policies', 'p', 'pol'],
    summary: 'L4 policies that a ztunnel enforces',
    filters: [new Option('--policy-namespace <namespace>', 'only policies of this namespace')],
    select: ({ policies }, { policyNamespace }) =>
      policies
        .filter(({ namespace }) => matches(namespace, policyNamespace))
        .toSorted((a, b) => byColumns([a.namespace, a.name], [b.namespace, b.name])),
    table: policyTable,
    json: policyJson,
  },
  {
    name: 'certificate',
    aliases: ['certificates', 'certs', 'cert'],
    summary: 'Certificates that a ztunnel holds',
    filters: [],
    select: ({ certificates }) => certificates,
    table: (selected) => certificateTable(selected, new Date()),
    json: identityJson,
  },
];

/** What changes all the time, so that it is not part of all. */
const CONNECTIONS: View = {
  name: 'connections',
  aliases: ['connection', 'conn', 'c'],
  summary: 'Connections that go through a ztunnel now',
  filters: [new Option('--workload-namespace <namespace>', 'only of pods of this namespace')],
  select: (dump, { workloadNamespace }) =>
    openConnections(dump).filter(({ namespace }) => matches(namespace, workloadNamespace)),
  table: connectionTable,
  json: (connection) => connection,
};

const EXAMPLES = `
Examples:
  aquifer ztunnel-config workloads
  aquifer ztunnel-config workloads --workload-namespace shop -o json
  aquifer ztunnel-config services --node node-2
  aquifer ztunnel-config certificates ztunnel-abcde.istio-system
  aquifer ztunnel-config connections --node node-1
  aquifer ztunnel-config log --level debug
  aquifer ztunnel-config log --node node-1 --level info,access=debug
  aquifer ztunnel-config all --file dump.json`;

export function addZtunnelConfig(program: Command, context: CliContext): void {
  const group = program
    .command('ztunnel-config')
    .alias('zc')
    .description('Show what a node proxy knows: workloads, services, policies, certificates')
    .addHelpText('after', EXAMPLES);
  for (const view of [...VIEWS, CONNECTIONS]) {
    const command = group
      .command(`${view.name} [pod]`)
      .aliases([...view.aliases])
      .description(view.summary);
    for (const filter of view.filters) command.addOption(filter);
    withSource(command).action(async (pod: string | undefined, options: Options) => {
      const dump = await readDump(context, command, { pod, options });
      context.stdout.write(render(view, dump, options));
    });
  }
  addLog(group, context);
  const all = group.command('all [pod]').description('All of them, one after the other');
  all.option('--with-headers', 'accepted for compatibility; headers are always shown');
  withSource(all).action(async (pod: string | undefined, options: Options) => {
    const dump = await readDump(context, all, { pod, options });
    if (options.output === 'short') {
      context.stdout.write(VIEWS.map((view) => render(view, dump, options)).join('\n'));
    } else context.stdout.write(formatData(dump, options.output));
  });
}

interface LogOptions extends ZtunnelChoice {
  readonly level?: string;
  readonly reset?: boolean;
}

/** Shows log levels of ztunnels, or changes them until they are replaced. */
function addLog(group: Command, context: CliContext): void {
  const command = group
    .command('log [pod]')
    .description('Show or change the log levels of a ztunnel, or of all')
    .option('-n, --namespace <namespace>', 'namespace of the pod argument')
    .option('--node <node>', 'the ztunnel of this node')
    .option('--level <levels>', 'a level, or a list of scope=level: info,access=debug')
    .option('-r, --reset', 'back to info')
    .action(async (pod: string | undefined, options: LogOptions) => {
      const cluster = await context.cluster(command);
      const names = await findZtunnels(cluster, pod, options);
      const level = options.reset === true ? 'info' : options.level;
      const query = level === undefined ? '' : `?level=${encodeURIComponent(level)}`;
      const page = { port: 15_000, path: `/logging${query}`, method: 'POST' } as const;
      for (const name of names) {
        const answer = await askPod(cluster, { namespace: ZTUNNEL_NAMESPACE, name }, page);
        context.stdout.write(`${name}.${ZTUNNEL_NAMESPACE}: ${answer.trim()}\n`);
      }
    });
}

/** Filters look at letters, not at their case, as istioctl's do; without a filter everything is shown. */
function matches(value: string | undefined, wanted: string | undefined): boolean {
  return wanted === undefined || value?.toLowerCase() === wanted.toLowerCase();
}

function withSource(command: Command): Command {
  return command
    .option('-n, --namespace <namespace>', 'namespace of the pod argument')
    .option('--node <node>', 'the ztunnel of this node')
    .option('-f, --file <path>', 'read a saved config dump instead')
    .option('--proxy-admin-port <port>', 'admin port of ztunnel', '15000')
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['short', 'json', 'yaml'])
        .default('short'),
    );
}

function render(view: View, dump: ConfigDump, options: Options): string {
  const selected = view.select(dump, options);
  if (options.output !== 'short')
    return formatData(
      selected.map((one) => view.json(one as never)),
      options.output,
    );
  return view.table(selected as never, dump);
}

async function readDump(
  context: CliContext,
  command: Command,
  { pod, options }: { readonly pod: string | undefined; readonly options: Options },
): Promise<ConfigDump> {
  if (options.file !== undefined)
    return parseDump(await readFile(options.file, 'utf8'), options.file);
  const cluster = await context.cluster(command);
  const name = await findZtunnel(cluster, pod, options);
  const body = await askPod(
    cluster,
    { namespace: ZTUNNEL_NAMESPACE, name },
    { port: Number(options.proxyAdminPort), path: '/config_dump' },
  );
  return parseDump(body, name);
}

function parseDump(text: string, where: string): ConfigDump {
  try {
    return JSON.parse(text) as ConfigDump;
  } catch {
    throw new CliError(
      `${where} is not a ztunnel config dump`,
      'save one with: aquifer ztunnel-config all -o json',
    );
  }
}
