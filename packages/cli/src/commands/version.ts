import { VERSION } from '@aquifer/runtime';
import { type Command, Option } from 'commander';
import { askPod } from '../admin-client.ts';
import { apiMessage } from '../api-errors.ts';
import type { Cluster } from '../cluster.ts';
import type { CliContext } from '../context.ts';
import { controlPlanePods, MONITORING_PORT } from '../control-plane-pods.ts';
import { formatData, type OutputFormat } from '../output/print.ts';
import { proxyStatuses } from '../proxy-statuses.ts';

/** Versions of what runs in the cluster; null where it was not asked, or does not answer. */
interface Versions {
  readonly clientVersion: string;
  readonly controlPlane: readonly { readonly pod: string; readonly version: string }[] | null;
  readonly dataPlane: readonly { readonly proxy: string; readonly version: string }[] | null;
}

interface Flags {
  readonly remote: boolean;
  readonly output: OutputFormat;
}

export function addVersion(program: Command, context: CliContext): void {
  const command = program
    .command('version')
    .description('Print the versions of this command, of the control plane and of the proxies')
    .option('--no-remote', 'only of this command')
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['short', 'json', 'yaml'])
        .default('short'),
    )
    .addHelpText('after', '\nExamples:\n  aquifer version\n  aquifer version --no-remote -o json')
    .action(async ({ remote, output }: Flags) => {
      const versions = await versionsOf(remote ? () => context.cluster(command) : null, context);
      context.stdout.write(output === 'short' ? lines(versions) : formatData(versions, output));
    });
}

/** A cluster that cannot be asked is no failure: why is said beside the answer. */
async function versionsOf(
  open: (() => Promise<Cluster>) | null,
  { progress }: CliContext,
): Promise<Versions> {
  const none = { clientVersion: VERSION, controlPlane: null, dataPlane: null };
  if (open === null) return none;
  try {
    const cluster = await open();
    const pods = await controlPlanePods(cluster);
    const controlPlane = await Promise.all(
      pods.map(async (pod) => ({
        pod: pod.name,
        version: (await askPod(cluster, pod, { port: MONITORING_PORT, path: '/version' })).trim(),
      })),
    );
    const dataPlane = (await proxyStatuses(cluster)).map(({ proxy, istio_version }) => ({
      proxy,
      version: istio_version || 'unknown',
    }));
    return { ...none, controlPlane, dataPlane };
  } catch (error) {
    const message = apiMessage(error) ?? (error as Error).message;
    progress.note(`of the cluster nothing is known: ${message}`);
    return none;
  }
}

/** As istioctl's: versions that are alike are counted. */
function lines({ clientVersion, controlPlane, dataPlane }: Versions): string {
  const said = [`client version: ${clientVersion}`];
  if (controlPlane !== null) {
    const distinct = new Set(controlPlane.map(({ version }) => version));
    said.push(`control plane version: ${[...distinct].join(', ')}`);
  }
  if (dataPlane !== null) {
    const byVersion = Object.groupBy(dataPlane, ({ version }) => version);
    const counted = Object.entries(byVersion).map(
      ([version, proxies = []]) => `${version} (${proxies.length} proxies)`,
    );
    said.push(`data plane version: ${counted.join(', ') || 'none'}`);
  }
  return `${said.join('\n')}\n`;
}
