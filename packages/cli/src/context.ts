import type { Command } from 'commander';
import type { Cluster } from './cluster.ts';
import { printable } from './output/printable.ts';
import { Progress } from './output/progress.ts';
import { sandboxPaths } from './sandbox-process.ts';

/** What commands need from the outside world. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: { write(text: string): unknown };
  readonly progress: Progress;
  /** The cluster that the options of this command name, once it has answered. */
  cluster(command: Command): Promise<Cluster>;
}

export function createContext(
  env: CliContext['env'],
  streams: { readonly stdout: CliContext['stdout']; readonly stderr: NodeJS.WriteStream },
): CliContext {
  const progress = new Progress(streams.stderr);
  return {
    env,
    stdout: { write: (text) => streams.stdout.write(printable(text)) },
    progress,
    cluster: async (command) => {
      const { kubeconfig, context } = command.optsWithGlobals<{
        kubeconfig?: string;
        context?: string;
      }>();
      const sandboxKubeconfig = sandboxPaths(env).kubeconfig;
      const [{ openCluster }, { awaitAnswer }] = await Promise.all([
        import('./cluster.ts'),
        import('./cluster-answer.ts'),
      ]);
      const cluster = openCluster({ kubeconfig, context, env, sandboxKubeconfig });
      await awaitAnswer(cluster, progress);
      return cluster;
    },
  };
}
