import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve, sep } from 'node:path';
import type { Command } from 'commander';
import { apiMessage } from '../api-errors.ts';
import type { Cluster } from '../cluster.ts';
import type { CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { integerBetween } from '../option-values.ts';

interface BugReportOptions {
  readonly output?: string;
  readonly lines: number;
}

const DEFAULT_LINES = 5_000;

export function addBugReport(program: Command, context: CliContext): void {
  program
    .command('bug-report')
    .description('Collect what helps to find out what is wrong, in one archive on this machine')
    .option('--output <file>', 'where to write it (default: aquifer-bug-report-TIME.tar.gz)')
    .option('--lines <number>', 'lines of each log', integerBetween(1, 1_000_000), DEFAULT_LINES)
    .addHelpText(
      'after',
      `
In it are: what aquifer check says, nodes, pods, Services, the objects of Gateway API and Istio, events, and of the control
plane and each proxy its log, metrics and configuration. Not in it: Secrets, and private keys. Access logs name
addresses and paths of requests: look into it before you send it to somebody.

Examples:
  aquifer bug-report
  aquifer bug-report --lines 500 --output report.tar.gz`,
    )
    .action(async (options: BugReportOptions, command: Command) => {
      const cluster = await context.cluster(command);
      const time = new Date().toISOString().slice(0, 19).replaceAll(/[:T]/g, '-');
      const file = resolve(options.output ?? `aquifer-bug-report-${time}.tar.gz`);
      const parent = await mkdtemp(join(tmpdir(), 'aquifer-bug-report-'));
      try {
        const folder = join(parent, 'aquifer-bug-report');
        await collect(context, cluster, folder, options.lines);
        pack(parent, file);
      } finally {
        await rm(parent, { recursive: true, force: true });
      }
      context.stdout.write(`${file}\n`);
    });
}

async function collect(
  { progress }: CliContext,
  cluster: Cluster,
  folder: string,
  lines: number,
): Promise<void> {
  const { clusterFacts, meshObjects, proxyFiles, listMeshPods } = await import('../bug-report.ts');
  const missing: string[] = [];
  const keep = async (path: string, text: () => Promise<string>): Promise<void> => {
    try {
      const at = join(folder, path);
      // Names are what the API says, and it may not be an honest one.
      if (!at.startsWith(folder + sep)) throw new CliError('its name leads out of the archive');
      await mkdir(dirname(at), { recursive: true });
      await writeFile(at, await text());
    } catch (error) {
      // What cannot be had says something too.
      missing.push(`${path}: ${apiMessage(error) ?? (error as Error).message}`);
    }
  };
  await progress.step('The cluster', async () => {
    for (const [path, text] of clusterFacts(cluster)) await keep(path, text);
  });
  await progress.step('Objects of Gateway API and Istio', async () => {
    for (const [path, text] of meshObjects(cluster)) await keep(path, text);
  });
  const pods = await listMeshPods(cluster);
  await progress.step(`The control plane and ${pods.length} proxies`, async () => {
    for (const pod of pods)
      for (const [path, text] of proxyFiles(cluster, pod, lines)) await keep(path, text);
  });
  await keep('missing.txt', async () => (missing.length === 0 ? '' : `${missing.join('\n')}\n`));
}

function pack(parent: string, file: string): void {
  const { status, stderr, error } = spawnSync(
    'tar',
    ['-czf', file, '-C', parent, 'aquifer-bug-report'],
    {
      encoding: 'utf8',
    },
  );
  if (status !== 0)
    throw new CliError(`${file} cannot be written: ${(error?.message ?? stderr).trim()}`);
}
