import { type Command, Option } from 'commander';
import type { CliContext } from '../context.ts';
import { formatData, type OutputFormat } from '../output/print.ts';
import { formatTable } from '../output/table.ts';
import { type ProxyStatus, proxyStatuses, type TypeStatus } from '../proxy-statuses.ts';

/** In the order of Istio's table, with its short names. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  'envoy.config.cluster.v3.Cluster': 'CDS',
  'envoy.config.listener.v3.Listener': 'LDS',
  'envoy.config.endpoint.v3.ClusterLoadAssignment': 'EDS',
  'envoy.config.route.v3.RouteConfiguration': 'RDS',
  'envoy.extensions.transport_sockets.tls.v3.Secret': 'SDS',
  'istio.workload.Address': 'WDS',
  'istio.security.Authorization': 'WADS',
  'aquifer.node.v1.EnrolledPod': 'PODS',
};

export function addProxyStatus(program: Command, context: CliContext): void {
  const command = program
    .command('proxy-status')
    .alias('ps')
    .description(
      'Show which proxies the control plane serves, and whether they have what they were sent',
    )
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['short', 'json', 'yaml'])
        .default('short'),
    )
    .addHelpText('after', '\nExamples:\n  aquifer proxy-status\n  aquifer proxy-status -o json')
    .action(async ({ output }: { output: OutputFormat }) => {
      const proxies = await proxyStatuses(await context.cluster(command));
      context.stdout.write(output === 'short' ? table(proxies) : formatData(proxies, output));
    });
}

function table(proxies: readonly ProxyStatus[]): string {
  const rows = proxies.map(
    ({ proxy, cluster_id, istiod, istio_version, genericXdsConfigs = [] }) => [
      proxy,
      cluster_id ?? '',
      istiod,
      istio_version ?? '',
      subscribed(genericXdsConfigs),
    ],
  );
  const troubles = proxies.flatMap(({ proxy, genericXdsConfigs = [] }) =>
    genericXdsConfigs
      .filter(({ configStatus }) => configStatus === 'ERROR')
      .map(
        ({ typeUrl, errorState }) =>
          `${proxy} refused ${shortName(typeUrl)}: ${errorState?.details ?? ''}\n`,
      ),
  );
  const header = ['NAME', 'CLUSTER', 'ISTIOD', 'VERSION', 'SUBSCRIBED TYPES'];
  return `${formatTable(header, rows)}${troubles.length > 0 ? `\n${troubles.join('')}` : ''}`;
}

/** `4 (CDS,LDS,EDS,RDS)`; what a proxy does not have as it was sent is said behind it. */
function subscribed(types: readonly TypeStatus[]): string {
  if (types.length === 0) return '0';
  const order = Object.keys(SHORT_NAMES);
  const sorted = types.toSorted((a, b) => order.indexOf(keyOf(a)) - order.indexOf(keyOf(b)));
  const names = sorted.map(({ typeUrl, configStatus }) =>
    configStatus === 'STALE' || configStatus === 'ERROR'
      ? `${shortName(typeUrl)} ${configStatus}`
      : shortName(typeUrl),
  );
  return `${types.length} (${names.join(',')})`;
}

function keyOf({ typeUrl }: TypeStatus): string {
  return typeUrl.slice(typeUrl.indexOf('/') + 1);
}

function shortName(typeUrl: string): string {
  const name = typeUrl.slice(typeUrl.indexOf('/') + 1);
  return SHORT_NAMES[name] ?? name;
}
