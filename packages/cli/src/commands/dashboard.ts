import { once } from 'node:events';
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { integerBetween } from '../option-values.ts';

const LARGEST_PORT = 65_535;

export function addDashboard(program: Command, context: CliContext): void {
  program
    .command('dashboard')
    .description(
      'Serve a page on this machine from which the pages of all proxies, Prometheus, Grafana and Kiali are reached',
    )
    .option(
      '-p, --port <port>',
      'port on this machine; 0 for any that is free',
      integerBetween(0, LARGEST_PORT),
      0,
    )
    .addHelpText(
      'after',
      `
It goes through the cluster's API, so nothing has to be exposed, and ends with Ctrl-C.

Examples:
  aquifer dashboard
  aquifer dashboard --port 8090`,
    )
    .action(async ({ port }: { port: number }, command: Command) => {
      // http-proxy uses what Node calls outdated; people can do nothing about it.
      process.noDeprecation = true;
      const cluster = await context.cluster(command);
      const [{ Dashboard }, { clusterSource }] = await Promise.all([
        import('@aquifer/dashboard'),
        import('../dashboard-source.ts'),
      ]);
      await using dashboard = new Dashboard(clusterSource(cluster));
      context.stdout.write(`${await dashboard.listen(port)}\n`);
      await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
    });
}
