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
import { type ContainerUsage, containerUsage, prometheusUsage } from '../container-usage.ts';
import type { CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { integerBetween } from '../option-values.ts';
import { formatData } from '../output/print.ts';
import { readPrices, savedReport } from './compare-report.ts';

interface ClusterOptions {
  readonly model?: string;
  readonly rps?: number;
  readonly prometheus?: string;
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
  aquifer compare cluster --prometheus http://localhost:9090
  aquifer compare cluster -o json`,
    )
    .option(
      '--model <run>',
      'costs of a saved run (default: those of a run that is named in the output)',
    )
    .option(
      '--rps <requests>',
      'requests per second of the whole cluster (default: what Prometheus counts; without it only what idles is counted)',
      integerBetween(0, 1e9),
    )
    .option('--prometheus <url>', 'ask this Prometheus what containers use, and for requests')
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
    const asked =
      options.prometheus === undefined ? null : await prometheusUsage(options.prometheus);
    const usage = asked?.usage ?? (await containerUsage(cluster));
    const { nodes, facts } = await readFacts(cluster, usage);
    const rps = options.rps ?? asked?.rps ?? 0;
    const projection = project(model, clusterSize(nodes, facts, rps), prices);
    context.stdout.write(
      options.output === 'json'
        ? formatData(
            {
              namespaces: facts,
              usage: usage?.source ?? null,
              projection,
              model: model.source,
            },
            'json',
          )
        : [
            titledTable(namespaceTable(facts)),
            titledTable(projectionTable({ projection })),
            `\nWhat is used now: ${usage === null ? 'unknown, as neither the metrics API nor the kubelets can be asked' : `by ${usage.source}`}\n`,
            `By the costs of: ${model.source}\n`,
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
  usage: ContainerUsage | null,
): Promise<{ readonly nodes: number; readonly facts: NamespaceFacts[] }> {
  const [{ items: nodes }, { items: pods }, ...rules] = await Promise.all([
    cluster.core.listNode(),
    cluster.core.listPodForAllNamespaces(),
    ...RULES.map((kind) => readRules(cluster, kind)),
  ]);
  const objects = {
    nodes: nodes.length,
    pods,
    usage: usage?.byContainer ?? null,
    rules: rules.flat(),
  };
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
