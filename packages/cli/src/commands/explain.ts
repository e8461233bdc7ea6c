import type { Explanation } from '@aquifer/wire';
import { Argument, type Command, Option } from 'commander';
import { AdminPageError, askPod } from '../admin-client.ts';
import type { Cluster } from '../cluster.ts';
import type { CliContext } from '../context.ts';
import { controlPlanePods, MONITORING_PORT } from '../control-plane-pods.ts';
import { CliError } from '../errors.ts';
import { explanationTree } from '../explanation-tree.ts';
import { withNamespace } from '../option-values.ts';

/** What may be named, and which kinds that can be. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  pod: ['Pod'],
  service: ['Service', 'ServiceEntry'],
  route: ['HTTPRoute', 'GRPCRoute', 'VirtualService'],
  policy: ['AuthorizationPolicy'],
};

interface ExplainOptions {
  readonly namespace?: string;
  readonly output: 'tree' | 'json';
}

export function addExplain(program: Command, context: CliContext): void {
  const command = withNamespace(
    program
      .command('explain')
      .addArgument(new Argument('<what>', 'what it is').choices(Object.keys(KINDS)))
      .argument('<name>', 'its name')
      .description(
        'Say what proxies are served because of an object, and which fields of which objects each line comes from',
      ),
  )
    .addOption(
      new Option('-o, --output <format>', 'how to print').choices(['tree', 'json']).default('tree'),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  aquifer explain service web -n shop\n  aquifer explain route checkout -n shop -o json',
    )
    .action(async (what: string, name: string, options: ExplainOptions) => {
      const cluster = await context.cluster(command);
      const namespace = options.namespace ?? cluster.defaultNamespace;
      const found = await explanationOf(cluster, { what, namespace, name });
      context.stdout.write(
        options.output === 'json' ? `${JSON.stringify(found, null, 2)}\n` : explanationTree(found),
      );
    });
}

async function explanationOf(
  cluster: Cluster,
  { what, namespace, name }: { what: string; namespace: string; name: string },
): Promise<Explanation> {
  const [pod] = await controlPlanePods(cluster);
  for (const kind of KINDS[what] ?? []) {
    const path = `/debug/explain?${new URLSearchParams({ kind, namespace, name })}`;
    try {
      const text = await askPod(cluster, pod, { port: MONITORING_PORT, path });
      return JSON.parse(text) as Explanation;
    } catch (error) {
      if (!(error instanceof AdminPageError) || error.status !== 404) throw error;
    }
  }
  throw new CliError(`there is no ${what} ${namespace}/${name}`);
}
