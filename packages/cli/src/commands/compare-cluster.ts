import {
  type ClusterRule,
  type CostModel,
  clusterSize,
  DEFAULT_COST_MODEL,
  type NamespaceFacts,
  namespaceFacts,
  namespaceTable,
  project,
  projectionTable,
} from '@aquifer/compare';
import { type Command, Option } from 'commander';
import { isNotFound } from '../api-errors.ts';
import type { Cluster } from '../cluster.ts';
import { titledTable } from '../comparison-output.ts';
import type { CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { integerBetween } from '../option-values.ts';
import { formatData } from '../output/print.ts';
import { readPrices, savedReport } from './compare-report.ts';

interface ClusterOptions {
  readonly model?: string;
  readonly rps: number;
  readonly priceFile?: string;
  readonly output: 'short' | 'json';
}

/** Kinds that may need a proxy which reads HTTP. */
const RULES = [
  {
    group: 'security.istio.io',
    version: 'v1',
    plural: 'authorizationpolicies',
    kind: 'AuthorizationPolicy',
  },
  {
    group: 'security.istio.io',
    version: 'v1',
    plural: 'requestauthentications',
    kind: 'RequestAuthentication',
  },
  {
    group: 'networking.istio.io',
    version: 'v1',
    plural: 'virtualservices',
    kind: 'VirtualService',
  },
  { group: 'gateway.networking.k8s.io', version: 'v1', plural: 'httproutes', kind: 'HTTPRoute' },
] as const;

/** `aquifer compare cluster`. */
export function addCompareCluster(group: Command, context: CliContext): void {
  const command = group
    .command('cluster')
    .description('Estimate what each mode would need in a cluster; reads it, and sends nothing')
    .addHelpText(
      'after',
      `
Examples:
  aquifer compare cluster --context production
  aquifer compare cluster --model run.json --rps 5000 --price-file prices.yaml
  aquifer compare cluster -o json`,
    )
    .option(
      '--model <run>',
      'costs of a saved run (default: those of a run that is named in the output)',
    )
    .option(
      '--rps <requests>',
      'requests per second of the whole cluster; without, only what idles is counted',
      integerBetween(0, 1e9),
      0,
    )
    .option('--price-file <path>', 'prices per month: currency, vcpuMonth, gibMonth')
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['short', 'json'])
        .default('short'),
    );
  command.action(async (options: ClusterOptions) => {
    const model = chosenModel(options.model);
    const prices = options.priceFile === undefined ? null : readPrices(options.priceFile);
    const cluster = await context.cluster(command);
    const { nodes, facts } = await readFacts(cluster);
    const projection = project(model, clusterSize(nodes, facts, options.rps), prices);
    context.stdout.write(
      options.output === 'json'
        ? formatData({ namespaces: facts, projection, model: model.source }, 'json')
        : [
            titledTable(namespaceTable(facts)),
            titledTable(projectionTable({ projection })),
            `\nBy the costs of: ${model.source}\n`,
          ].join(''),
    );
  });
}

function chosenModel(path: string | undefined): CostModel {
  if (path === undefined) return DEFAULT_COST_MODEL;
  const { costModel } = savedReport(path);
  if (costModel !== null) return costModel;
  throw new CliError(
    `${path} was measured at one size, which does not tell what a pod costs`,
    'measure two sizes: aquifer compare run --pods 2,10 -o json > run.json',
  );
}

async function readFacts(
  cluster: Cluster,
): Promise<{ readonly nodes: number; readonly facts: NamespaceFacts[] }> {
  const [{ items: nodes }, { items: pods }, usage, ...rules] = await Promise.all([
    cluster.core.listNode(),
    cluster.core.listPodForAllNamespaces(),
    readUsage(cluster),
    ...RULES.map((kind) => readRules(cluster, kind)),
  ]);
  const objects = { nodes: nodes.length, pods, usage, rules: rules.flat() };
  return { nodes: nodes.length, facts: namespaceFacts(objects) };
}

/** None where the kind is not installed. */
async function readRules(
  { custom }: Cluster,
  { kind, ...resource }: (typeof RULES)[number],
): Promise<ClusterRule[]> {
  try {
    const list = (await custom.listClusterCustomObject(resource)) as { items: object[] };
    return list.items.map((item) => ({ ...item, kind }));
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

interface PodMetrics {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly containers: readonly {
    readonly name: string;
    readonly usage: { readonly cpu: string; readonly memory: string };
  }[];
}

/** By `NAMESPACE/POD/CONTAINER`; null where there is no metrics API. */
async function readUsage({
  custom,
}: Cluster): Promise<Map<string, PodMetrics['containers'][number]['usage']> | null> {
  const kind = { group: 'metrics.k8s.io', version: 'v1beta1', plural: 'pods' };
  try {
    const { items } = (await custom.listClusterCustomObject(kind)) as { items: PodMetrics[] };
    return new Map(
      items.flatMap(({ metadata, containers }) =>
        containers.map(({ name, usage }) => [
          `${metadata.namespace}/${metadata.name}/${name}`,
          usage,
        ]),
      ),
    );
  } catch {
    // Not installed, not ready, or not ours to read: then what is requested has to do.
    return null;
  }
}
