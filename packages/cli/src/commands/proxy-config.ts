import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { askPod } from '../admin-client.ts';
import { isNotFound } from '../api-errors.ts';
import type { Cluster } from '../cluster.ts';
import type { CliContext } from '../context.ts';
import { type DumpKind, type EnvoyDump, resourcesOf } from '../envoy-dump.ts';
import { TABLES } from '../envoy-tables.ts';
import { CliError } from '../errors.ts';
import { withNamespace } from '../option-values.ts';
import { formatData, type OutputFormat } from '../output/print.ts';
import type { PodName } from '../pod-connection.ts';
import { GATEWAY_NAME } from '../waypoint-gateways.ts';

const ADMIN_PORT = 15_000;

interface Options {
  readonly namespace?: string;
  readonly file?: string;
  readonly output: OutputFormat;
}

const KINDS: Readonly<Record<DumpKind, readonly string[]>> = {
  listener: ['listeners', 'l'],
  route: ['routes', 'r'],
  cluster: ['clusters', 'c'],
  endpoint: ['endpoints', 'ep'],
  secret: ['secrets', 's'],
};

/** What a waypoint, a gateway or a sidecar is served: the `istioctl proxy-config` of L7 proxies. */
export function addProxyConfig(program: Command, context: CliContext): void {
  const group = program
    .command('proxy-config')
    .alias('pc')
    .description(
      'Show what a waypoint, gateway or sidecar is served: listeners, routes, clusters …',
    )
    .addHelpText(
      'after',
      `
Examples:
  aquifer proxy-config routes waypoint -n shop             # of a Gateway by its name
  aquifer proxy-config clusters waypoint-6f5c9-x2k4p.shop  # of a pod
  aquifer proxy-config listeners --file config_dump.json -o yaml`,
    );
  for (const [kind, aliases] of Object.entries(KINDS) as [DumpKind, readonly string[]][]) {
    const command = withNamespace(
      group
        .command(`${kind} [pod]`)
        .aliases([...aliases])
        .description(`The ${aliases[0]} of a proxy`),
    )
      .option('-f, --file <path>', 'read a saved config dump instead')
      .addOption(
        new Option('-o, --output <format>', 'how to print')
          .choices(['short', 'json', 'yaml'])
          .default('short'),
      )
      .action(async (pod: string | undefined, options: Options) => {
        const dump = await readDump(context, command, pod, options);
        const resources = resourcesOf(dump, kind);
        context.stdout.write(
          options.output === 'short'
            ? TABLES[kind](resources)
            : formatData(resources, options.output),
        );
      });
  }
}

async function readDump(
  context: CliContext,
  command: Command,
  pod: string | undefined,
  { file, namespace }: Options,
): Promise<EnvoyDump> {
  if (file !== undefined) return parseDump(await readFile(file, 'utf8'), file);
  if (pod === undefined) throw new CliError('name a pod or a Gateway, or give a dump with --file');
  const cluster = await context.cluster(command);
  const found = await findProxy(cluster, pod, namespace);
  const page = { port: ADMIN_PORT, path: '/config_dump?include_eds' };
  return parseDump(await askPod(cluster, found, page), `${found.namespace}/${found.name}`);
}

function parseDump(text: string, where: string): EnvoyDump {
  try {
    const dump = JSON.parse(text) as Partial<EnvoyDump>;
    if (Array.isArray(dump.configs)) return dump as EnvoyDump;
  } catch {
    // Said below.
  }
  throw new CliError(
    `${where} is no config dump of a waypoint or an Envoy`,
    'of a ztunnel: aquifer ztunnel-config',
  );
}

/** `name`, `name.namespace` as istioctl writes it, or the name of a Gateway, one of whose pods will do. */
async function findProxy(
  cluster: Cluster,
  written: string,
  inNamespace: string | undefined,
): Promise<PodName> {
  const at = written.lastIndexOf('.');
  const name = at > 0 ? written.slice(0, at) : written;
  const namespace = at > 0 ? written.slice(at + 1) : (inNamespace ?? cluster.defaultNamespace);
  try {
    await cluster.core.readNamespacedPod({ name, namespace });
    return { name, namespace };
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  const labelSelector = `${GATEWAY_NAME}=${name}`;
  const { items } = await cluster.core.listNamespacedPod({ namespace, labelSelector });
  const running = items.find(({ status }) => status?.phase === 'Running');
  if (running !== undefined) return { name: running.metadata!.name!, namespace };
  throw new CliError(
    `there is no pod ${namespace}/${name}, and no Gateway of that name with a pod that runs`,
    'see: aquifer waypoint list -A; kubectl get pods -A',
  );
}
