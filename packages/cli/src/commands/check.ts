import { type Command, Option } from 'commander';
import { apiMessage } from '../api-errors.ts';
import type { Cluster } from '../cluster.ts';
import type { CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { formatTable } from '../output/table.ts';
import { findProgram } from '../tool-path.ts';

/** One thing looked at. `remedy` says what to do when it is not fine. */
interface Finding {
  readonly area: 'machine' | 'cluster';
  readonly what: string;
  readonly state: 'ok' | 'missing' | 'optional';
  readonly remedy: string;
}

const PROGRAMS: readonly { name: string; package: string; for: string; optional?: boolean }[] = [
  { name: 'nft', package: 'nftables', for: 'capturing traffic' },
  { name: 'ip', package: 'iproute2', for: 'network namespaces' },
  { name: 'nsenter', package: 'util-linux', for: 'entering namespaces' },
  { name: 'unshare', package: 'util-linux', for: 'pods of the sandbox' },
  { name: 'kubectl', package: 'kubectl', for: 'talking to the cluster', optional: true },
  { name: 'tcpdump', package: 'tcpdump', for: 'the demo', optional: true },
  { name: 'envoy', package: 'envoy', for: 'comparing with sidecars', optional: true },
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
      const findings = [...checkMachine(context.env), ...(await checkCluster(context, command))];
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

async function checkCluster(context: CliContext, command: Command): Promise<Finding[]> {
  let cluster: Cluster;
  try {
    cluster = await context.cluster(command);
    await cluster.core.listNamespace({ limit: 1 });
  } catch (error) {
    const remedy = 'start one with: aquifer sandbox up, or set KUBECONFIG';
    const message = apiMessage(error) ?? (error as Error).message;
    const what = `a reachable cluster: ${message.split('\n')[0]}`;
    return [{ area: 'cluster', what, state: 'missing', remedy }];
  }
  const { apps } = cluster;
  const crd = { group: 'gateway.networking.k8s.io', version: 'v1', plural: 'gateways' };
  return Promise.all([
    probe('Gateway API resources', 'kubectl apply -f deploy/crds', () =>
      cluster.custom.listClusterCustomObject(crd),
    ),
    probe('control plane (istiod)', 'kubectl apply -f deploy/control-plane.yaml', async () => {
      const found = await apps.readNamespacedDeployment({
        namespace: 'istio-system',
        name: 'istiod',
      });
      if (!found.status?.readyReplicas) throw new Error('not ready');
    }),
    probe('node proxies (ztunnel)', 'kubectl apply -f deploy/ztunnel.yaml', async () => {
      const { status } = await apps.readNamespacedDaemonSet({
        namespace: 'istio-system',
        name: 'ztunnel',
      });
      if (status?.numberReady !== status?.desiredNumberScheduled) throw new Error('not ready');
    }),
  ]);
}

async function probe(what: string, remedy: string, look: () => Promise<unknown>): Promise<Finding> {
  try {
    await look();
    return { area: 'cluster', what, state: 'ok', remedy: '' };
  } catch {
    return { area: 'cluster', what, state: 'missing', remedy };
  }
}

function findingTable(findings: readonly Finding[]): string {
  const rows = findings.map(({ area, what, state, remedy }) => [area, state, what, remedy]);
  return formatTable(['AREA', 'STATE', 'WHAT', 'REMEDY'], rows);
}
