import {
  type ComparisonReport,
  compareModes,
  cpuSeconds,
  LOAD_GENERATOR_PORT,
  type LoadResult,
  loadPath,
  MODE_TITLES,
  MODES,
  type Mode,
  type ModeSamples,
  memoryKiB,
  type RoundSample,
  reportNotes,
  reportRows,
  serverUrl,
} from '@aquifer/compare';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { askPod } from '../admin-client.ts';
import type { Cluster } from '../cluster.ts';
import { ModeWorkloads } from '../comparison-workloads.ts';
import type { CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { integerBetween, parseDuration } from '../option-values.ts';
import { formatData } from '../output/print.ts';
import { formatTable } from '../output/table.ts';
import { runningSandbox, sandboxPaths } from '../sandbox-process.ts';

const CONNECTIONS = 16;
/** Rounds unless their loads would be shorter or longer than this, in whole seconds. */
const ROUNDS = 5;
const SHORTEST_ROUND = 1;
const LONGEST_ROUND = 5;
const WARM_UP_SECONDS = 1;
const WARM_UP_ATTEMPTS = 8;
/** The mesh that `sandbox up` installs has this one. */
const TRUST_DOMAIN = 'cluster.local';
const EXAMPLES = `
Examples:
  aquifer compare run                      # a minute and a half
  aquifer compare run --duration 5s --pods 8
  aquifer compare run -o json > report.json`;

interface RunOptions {
  readonly duration: number;
  readonly pods: number;
  readonly rate: number;
  readonly output: 'short' | 'json';
}

interface RunSettings {
  readonly pods: number;
  readonly rate: number;
  readonly rounds: number;
  readonly secondsPerRound: number;
}

/** The commands that measure what the mesh costs. */
export function addCompare(program: Command, context: CliContext): void {
  const group = program
    .command('compare')
    .description('Measure what a workload costs without a mesh, with sidecars, and in ambient mode')
    .addHelpText('after', EXAMPLES);
  const command = group
    .command('run')
    .description('Deploy the same workload in four modes, drive the same load, and compare')
    .addHelpText('after', EXAMPLES)
    .addOption(
      new Option('--duration <duration>', 'time to measure each mode for')
        .argParser(parseSeconds)
        .default(10, '10s'),
    )
    .option(
      '--pods <count>',
      'pods of the workload: a client, the others serve',
      integerBetween(2, 50),
      4,
    )
    .option('--rate <requests>', 'requests per second', integerBetween(1, 100_000), 1000)
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['short', 'json'])
        .default('short'),
    );
  command.action(async (options: RunOptions) => {
    const cluster = await context.cluster(command);
    requireSandbox(context, cluster);
    const report = await runComparison(context, cluster, options);
    context.stdout.write(
      options.output === 'json' ? formatData(report, 'json') : formatReport(report),
    );
  });
}

/** Processor time and memory are read from this machine's /proc, so the nodes must be here. */
function requireSandbox(context: CliContext, cluster: Cluster): void {
  const sandbox = runningSandbox(sandboxPaths(context.env));
  const server = cluster.config.getCurrentCluster()?.server;
  if (sandbox !== null && server === sandbox.url) return;
  throw new CliError(
    `the cluster at ${server} is not the sandbox of this machine: what proxies use is read from this machine's /proc, so only a sandbox can be measured`,
    sandbox === null
      ? 'start one with: aquifer sandbox up'
      : `use it: KUBECONFIG=${sandbox.kubeconfig}`,
  );
}

async function runComparison(
  context: CliContext,
  cluster: Cluster,
  { duration, pods, rate }: RunOptions,
): Promise<ComparisonReport> {
  const secondsPerRound = Math.min(
    LONGEST_ROUND,
    Math.max(SHORTEST_ROUND, Math.floor(duration / ROUNDS)),
  );
  const rounds = Math.max(1, Math.round(duration / secondsPerRound));
  const settings: RunSettings = { pods, rate, rounds, secondsPerRound };
  const stop = new AbortController();
  const onSignal = (): void => stop.abort(new CliError('interrupted; the workloads were removed'));
  // Not once: a terminal interrupts the whole process group, so that the same Ctrl-C arrives again from our launcher.
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const { signal } = stop;
  const options = { pods, trustDomain: TRUST_DOMAIN, signal };
  const all = MODES.map((mode) => new ModeWorkloads(mode, cluster, options));
  try {
    const samples = await measureModes(context, { cluster, all, settings, signal });
    return compareModes(settings, samples);
  } finally {
    await context.progress.step('Workloads removed', () => removeAll(all));
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

async function removeAll(all: readonly ModeWorkloads[]): Promise<void> {
  for (const workloads of all) await workloads.remove();
  for (const workloads of all) await workloads.untilRemoved();
}

interface Comparison {
  readonly cluster: Cluster;
  readonly all: readonly ModeWorkloads[];
  readonly settings: RunSettings;
  readonly signal: AbortSignal;
}

async function measureModes(
  { progress }: CliContext,
  comparison: Comparison,
): Promise<Map<Mode, ModeSamples>> {
  const { all, settings } = comparison;
  const samples = new Map<Mode, ModeSamples>();
  const ready: ModeWorkloads[] = [];
  await progress.step(`Workloads in ${all.length} modes`, async () => {
    // A comparison that was killed may have left some behind.
    await removeAll(all);
    for (const workloads of all) await workloads.deploy();
    for (const workloads of all) {
      const reason = await workloads.untilReady();
      if (reason === null) ready.push(workloads);
      else samples.set(workloads.mode, { kind: 'unavailable', reason });
    }
  });
  for (const workloads of ready) {
    await progress.step(`Warm-up: ${MODE_TITLES[workloads.mode]}`, () =>
      warmUp(comparison, workloads),
    );
  }
  const rounds = new Map<Mode, RoundSample[]>(ready.map(({ mode }) => [mode, []]));
  for (let round = 1; round <= settings.rounds; round++) {
    await progress.step(`Round ${round} of ${settings.rounds}`, async () => {
      for (const workloads of ready) {
        const sample = await measureRound(comparison, workloads, settings.secondsPerRound);
        rounds.get(workloads.mode)!.push(sample);
      }
    });
  }
  for (const [mode, measured] of rounds) samples.set(mode, { kind: 'measured', rounds: measured });
  return samples;
}

/** Loads until a load has no error, and checks that it went through the mode's proxies. */
async function warmUp(comparison: Comparison, workloads: ModeWorkloads): Promise<void> {
  let last = 'nothing was answered';
  for (let attempt = 1; attempt <= WARM_UP_ATTEMPTS; attempt++) {
    const sample = await measureRound(comparison, workloads, WARM_UP_SECONDS);
    const isCarried = workloads.mode === 'none' || sample.cpuSeconds > 0;
    if (sample.requests > 0 && sample.errors === 0 && isCarried) return;
    last = isCarried
      ? `${sample.errors} errors in ${sample.requests} requests`
      : 'the proxies were idle, so traffic passed them by';
  }
  throw new CliError(
    `${MODE_TITLES[workloads.mode]} carries no traffic: ${last}`,
    'see the logs of the proxies: kubectl logs -n istio-system ds/ztunnel',
  );
}

async function measureRound(
  { cluster, settings, signal }: Comparison,
  workloads: ModeWorkloads,
  seconds: number,
): Promise<RoundSample> {
  signal.throwIfAborted();
  const pids = await workloads.proxyProcesses();
  const pod = { namespace: workloads.namespace, name: await workloads.clientPod() };
  const { mode } = workloads;
  const load = { url: serverUrl(mode), connections: CONNECTIONS, rate: settings.rate, seconds };
  const before = cpuSeconds(pids);
  const target = { port: LOAD_GENERATOR_PORT, path: loadPath(load) };
  const result = JSON.parse(await askPod(cluster, pod, target)) as LoadResult;
  return { ...result, cpuSeconds: cpuSeconds(pids) - before, memoryKiB: memoryKiB(pids) };
}

function formatReport(report: ComparisonReport): string {
  const { pods, rate, rounds, secondsPerRound, modes } = report;
  const { header, rows } = reportRows(report);
  const notes = reportNotes(report).map((note) => `${note}\n`);
  const title = `${pods} pods, ${rate} requests/s, ${rounds} rounds of ${secondsPerRound} s in each mode; median (lowest–highest round)`;
  const shared = modes.some(({ mode }) => mode === 'ambient')
    ? `The node proxies carry every ambient pod; their whole memory counts in both ambient modes. It is fixed per node,
while each pod has a sidecar of its own: compare --pods 4 with --pods 50.\n`
    : '';
  return `\n${title}\n\n${formatTable(header, rows)}\n${shared}${notes.join('')}`;
}

function parseSeconds(text: string): number {
  const seconds = parseDuration(text) / 1000;
  if (!(seconds > 0)) throw new InvalidArgumentError('It must be longer than nothing.');
  return seconds;
}
