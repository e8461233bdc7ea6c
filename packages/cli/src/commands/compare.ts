import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { addCompareCluster } from './compare-cluster.ts';
import { addCompareReport } from './compare-report.ts';
import { addCompareRun } from './compare-run.ts';

/** The commands that measure what the mesh costs. */
export function addCompare(program: Command, context: CliContext): void {
  const group = program
    .command('compare')
    .description('Measure what a workload costs without a mesh, with sidecars, and in ambient mode')
    .addHelpText(
      'after',
      `
Examples:
  aquifer compare run --pods 2,10,25,50 -o json > run.json
  aquifer compare report run.json -o html > report.html
  aquifer compare cluster                  # reads the cluster, and estimates`,
    );
  addCompareRun(group, context);
  addCompareReport(group, context);
  addCompareCluster(group, context);
}
