import type { Command } from 'commander';
import type { Cluster } from './cluster.ts';
import { Progress } from './output/progress.ts';
import { sandboxPaths } from './sandbox-process.ts';

/** What commands need from the outside world. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: { write(text: string): unknown };
  readonly progress: Progress;
  /** The cluster that the options of this command name. */
  cluster(command: Command): Promise<Cluster>;
}

export function createContext(
  env: CliContext['env'],
  streams: { readonly stdout: CliContext['stdout']; readonly stderr: NodeJS.WriteStream },
): CliContext {
  return {
    env,
    stdout: streams.stdout,
    progress: new Progress(streams.stderr),
    cluster: async (command) => {
      const { kubeconfig, context } = command.optsWithGlobals<{
        kubeconfig?: string;
        context?: string;
      }>();
      const sandboxKubeconfig = sandboxPaths(env).kubeconfig;
      const { openCluster } = await import('./cluster.ts');
      return openCluster({ kubeconfig, context, env, sandboxKubeconfig });
    },
  };
}
