import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  ComparisonError,
  type ComparisonRun,
  type ComparisonSettings,
  ECHO_WORKLOAD,
  fewestPods,
  type Manifest,
  MODES,
  type Mode,
  reportRun,
  runComparison,
  USUAL_MODES,
  type Workload,
  workloadOf,
} from '@aquifer/compare';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseAllDocuments } from 'yaml';
import type { Cluster } from '../cluster.ts';
import { comparisonCluster } from '../comparison-cluster.ts';
import { COMPARISON_FORMATS, formatComparison } from '../comparison-output.ts';
import type { CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { integerBetween, listOf, parseDuration } from '../option-values.ts';
import { runningSandbox, type SandboxState, sandboxPaths } from '../sandbox-process.ts';
import {
  addProjectionOptions,
  type ProjectionOptions,
  projectionOf,
  requireTwoSizes,
} from './compare-report.ts';

const SECONDS_PER_ROUND = 2;
const SHORTEST_LIMIT_SECONDS = 10;
const LARGEST_SEED = 2 ** 31;
/** The mesh that `sandbox up` installs has this one. */
const TRUST_DOMAIN = 'cluster.local';
const EXAMPLES = `
Examples:
  aquifer compare run                                        # two sizes, some ten minutes
  aquifer compare run --pods 4 --time-limit 30s              # an impression
  aquifer compare run --pods 2,10,25,50 -o json > run.json
  aquifer compare run -f deploy/samples/shop.yaml --modes none,ambient
  aquifer compare run --modes sidecar,own-sidecar            # our own engine where Envoy is
  aquifer compare run --nodes 40 --pods-per-node 30 --rps 5000 -o html > report.html`;

interface RunOptions extends ProjectionOptions {
  readonly filename?: string;
  readonly service?: string;
  readonly modes: readonly Mode[];
  readonly pods: readonly number[];
  readonly rates: readonly number[];
  readonly timeLimit: number;
  readonly seed?: number;
  readonly output: (typeof COMPARISON_FORMATS)[number];
}

/** `aquifer compare run`. */
export function addCompareRun(group: Command, context: CliContext): void {
  const command = group
    .command('run')
    .description('Deploy the same workload in several modes, drive the same load, and compare')
    .addHelpText('after', EXAMPLES)
    .option('-f, --filename <path>', 'manifests of your workload (default: an echo server)')
    .option('--service <name>', 'where the load goes, NAME or NAME:PORT (default: the first)')
    .addOption(
      new Option('--modes <list>', `modes to compare, of ${MODES.join(',')}`)
        .argParser(listOf(parseMode))
        .default([...USUAL_MODES], USUAL_MODES.join(',')),
    )
    .addOption(
      new Option('--pods <list>', 'sizes of the workload in pods: a client, the others serve')
        .argParser(listOf(integerBetween(2, 100)))
        .default([2, 10], '2,10'),
    )
    .addOption(
      new Option('--rates <list>', 'requests per second')
        .argParser(listOf(integerBetween(1, 100_000)))
        .default([500], '500'),
    )
    .addOption(
      new Option('--time-limit <duration>', 'longest time for each size')
        .argParser(parseTimeLimit)
        .default(300, '5m'),
    )
    .option(
      '--seed <number>',
      'of the order of rounds and the times of requests (default: a random one, which is printed)',
      integerBetween(1, LARGEST_SEED),
    )
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(COMPARISON_FORMATS)
        .default('short'),
    );
  addProjectionOptions(command);
  command.action(async (options: RunOptions) => {
    const cluster = await context.cluster(command);
    const sandbox = requireSandbox(context, cluster);
    const settings = comparisonSettings(options);
    requireTwoSizes(options, settings.pods);
    const workload = chosenWorkload(options);
    if (Math.min(...settings.pods) < fewestPods(workload)) {
      throw new CliError(
        `${workload.title} has at least ${fewestPods(workload)} pods, the client included`,
        'give more with --pods',
      );
    }
    const run = await measure(context, { cluster, sandbox, workload, settings });
    const report = reportRun(run, {
      command: commandLine(options, settings),
      ...projectionOf(options),
    });
    context.stdout.write(await formatComparison(report, options.output));
  });
}

interface Measuring {
  readonly cluster: Cluster;
  readonly sandbox: SandboxState;
  readonly workload: Workload;
  readonly settings: ComparisonSettings;
}

async function measure(
  { progress }: CliContext,
  { cluster, sandbox, workload, settings }: Measuring,
): Promise<ComparisonRun> {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort(new CliError('interrupted; the workloads were removed'));
  // Not once: a terminal interrupts the whole process group, so that the same Ctrl-C arrives again from our launcher.
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  progress.note(`seed ${settings.seed}`);
  try {
    return await runComparison({
      cluster: comparisonCluster(cluster, [sandbox.pid]),
      workload,
      trustDomain: TRUST_DOMAIN,
      settings,
      progress,
      signal: stop.signal,
    });
  } catch (error) {
    if (error instanceof ComparisonError) throw new CliError(error.message, error.remedy);
    throw error;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

/** Processor time and memory are read from this machine's cgroups and /proc, so the nodes must be here. */
function requireSandbox(context: CliContext, cluster: Cluster): SandboxState {
  const sandbox = runningSandbox(sandboxPaths(context.env));
  const server = cluster.config.getCurrentCluster()?.server;
  if (sandbox !== null && server === sandbox.url) return sandbox;
  throw new CliError(
    `the cluster at ${server} is not the sandbox of this machine: what proxies use is read from this machine's cgroups, so only a sandbox can be measured`,
    sandbox === null
      ? 'start one with: aquifer sandbox up (or estimate for that cluster: aquifer compare cluster)'
      : `use it: KUBECONFIG=${sandbox.kubeconfig}`,
  );
}

function comparisonSettings(options: RunOptions): ComparisonSettings {
  return {
    modes: MODES.filter((mode) => options.modes.includes(mode)),
    pods: [...new Set(options.pods)].sort((a, b) => a - b),
    rates: [...new Set(options.rates)].sort((a, b) => a - b),
    secondsPerRound: SECONDS_PER_ROUND,
    timeLimitSeconds: options.timeLimit,
    seed: options.seed ?? randomInt(1, LARGEST_SEED),
  };
}

function chosenWorkload({ filename, service }: RunOptions): Workload {
  if (filename === undefined) return ECHO_WORKLOAD;
  try {
    const documents = parseAllDocuments(readFileSync(filename, 'utf8'));
    const objects = documents.flatMap((document): Manifest[] => {
      const [problem] = document.errors;
      if (problem !== undefined) throw problem;
      const object = document.toJS() as Manifest | null;
      return object === null ? [] : [object];
    });
    return workloadOf(filename, objects, service);
  } catch (error) {
    throw new CliError(`--filename ${filename}: ${(error as Error).message}`);
  }
}

/** What makes the same run again. */
function commandLine(options: RunOptions, settings: ComparisonSettings): string {
  return [
    'aquifer compare run',
    ...(options.filename === undefined ? [] : [`-f ${options.filename}`]),
    ...(options.service === undefined ? [] : [`--service ${options.service}`]),
    `--modes ${settings.modes.join(',')}`,
    `--pods ${settings.pods.join(',')}`,
    `--rates ${settings.rates.join(',')}`,
    `--time-limit ${settings.timeLimitSeconds}s`,
    `--seed ${settings.seed}`,
  ].join(' ');
}

function parseMode(text: string): Mode {
  const mode = MODES.find((known) => known === text);
  if (mode !== undefined) return mode;
  throw new InvalidArgumentError(`Modes are ${MODES.join(', ')}.`);
}

function parseTimeLimit(text: string): number {
  const seconds = parseDuration(text) / 1000;
  if (seconds >= SHORTEST_LIMIT_SECONDS) return seconds;
  throw new InvalidArgumentError(`It must be ${SHORTEST_LIMIT_SECONDS}s at least.`);
}
