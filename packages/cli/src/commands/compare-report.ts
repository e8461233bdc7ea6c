import { readFileSync } from 'node:fs';
import {
  type ComparisonReport,
  type Prices,
  parsePrices,
  type ReportOptions,
  reportRun,
} from '@aquifer/compare';
import { type Command, Option } from 'commander';
import { parse } from 'yaml';
import {
  COMPARISON_FORMATS,
  type ComparisonFormat,
  formatComparison,
} from '../comparison-output.ts';
import type { CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { integerBetween } from '../option-values.ts';

/** The cluster to estimate for. */
export interface ProjectionOptions {
  readonly nodes?: number;
  readonly podsPerNode: number;
  readonly rps: number;
  readonly waypoints: number;
  readonly priceFile?: string;
}

/** `aquifer compare report`. */
export function addCompareReport(group: Command, context: CliContext): void {
  const command = group
    .command('report <run>')
    .description(
      'Print a saved run again, in another format or with an estimate for another cluster',
    )
    .addHelpText(
      'after',
      `
Examples:
  aquifer compare report run.json                # of: aquifer compare run -o json > run.json
  aquifer compare report run.json --nodes 40 --pods-per-node 30 --rps 5000
  aquifer compare report run.json --nodes 40 --price-file prices.yaml -o html > report.html

The price file says what a month costs:
  currency: EUR
  vcpuMonth: 22.5
  gibMonth: 3`,
    )
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(COMPARISON_FORMATS)
        .default('short'),
    );
  addProjectionOptions(command);
  command.action(
    async (path: string, options: ProjectionOptions & { readonly output: ComparisonFormat }) => {
      const { command: made, ...run } = savedReport(path);
      requireTwoSizes(options, run.settings.pods);
      const report = reportRun(run, { command: made, ...projectionOf(options) });
      context.stdout.write(await formatComparison(report, options.output));
    },
  );
}

/** A report that `-o json` has written. */
export function savedReport(path: string): ComparisonReport {
  let report: Partial<ComparisonReport>;
  try {
    report = JSON.parse(readFileSync(path, 'utf8')) as Partial<ComparisonReport>;
  } catch (error) {
    throw new CliError(`${path} cannot be read: ${(error as Error).message}`);
  }
  if (report.samples === undefined || report.environment === undefined) {
    throw new CliError(
      `${path} is not a saved run`,
      'make one with: aquifer compare run -o json > run.json',
    );
  }
  return report as ComparisonReport;
}

export function addProjectionOptions(command: Command): void {
  command
    .option(
      '--nodes <count>',
      'estimate for a cluster of so many nodes',
      integerBetween(1, 100_000),
    )
    .option('--pods-per-node <count>', 'pods on each of them', integerBetween(0, 1000), 30)
    .option(
      '--rps <requests>',
      'requests per second of the whole cluster',
      integerBetween(0, 1e9),
      1000,
    )
    .option('--waypoints <count>', 'waypoints of the whole cluster', integerBetween(0, 100_000), 1)
    .option('--price-file <path>', 'prices per month: currency, vcpuMonth, gibMonth');
}

/** An estimate of another size needs two. */
export function requireTwoSizes({ nodes }: ProjectionOptions, pods: readonly number[]): void {
  if (nodes === undefined || pods.length > 1) return;
  throw new CliError(
    'a run of one size does not tell what a pod costs, so --nodes cannot be estimated',
    'measure two: aquifer compare run --pods 2,10',
  );
}

/** What is to be estimated; nothing without `--nodes`. */
export function projectionOf(
  options: ProjectionOptions,
): Pick<ReportOptions, 'cluster' | 'prices'> {
  const { nodes, podsPerNode, rps, waypoints, priceFile } = options;
  const prices = priceFile === undefined ? null : readPrices(priceFile);
  const cluster = nodes === undefined ? null : { nodes, podsPerNode, rps, waypoints };
  return { cluster, prices };
}

export function readPrices(path: string): Prices {
  try {
    return parsePrices(parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new CliError(`--price-file ${path}: ${(error as Error).message}`);
  }
}
