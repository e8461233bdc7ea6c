import { VersionApi } from '@kubernetes/client-node';
import { isApiError } from './api-errors.ts';
import type { Cluster } from './cluster.ts';
import { CliError } from './errors.ts';
import type { Progress } from './output/progress.ts';

const PATIENCE_MS = 5_000;

/**
 * Waits until the cluster says its version, which it says to everybody who is logged in, and tells whom it waits for if that
 * takes long. Throws if what answers is no Kubernetes. That it cannot be reached, or refuses, the next call says.
 */
export async function awaitAnswer(
  { config }: Cluster,
  progress: Progress,
  patienceMs: number = PATIENCE_MS,
): Promise<void> {
  const server = config.getCurrentCluster()?.server ?? '';
  const note = setTimeout(
    () => progress.note(`waiting for the cluster at ${server} to answer (Ctrl-C ends it)`),
    patienceMs,
  );
  try {
    const version: unknown = await config.makeApiClient(VersionApi).getCode();
    if (isVersion(version)) return;
  } catch (error) {
    if (isApiError(error) || (error as Error).message === 'fetch failed') return;
    if (!(error instanceof SyntaxError)) throw error;
  } finally {
    clearTimeout(note);
  }
  throw new CliError(
    `what answers at ${server} is no Kubernetes API`,
    `correct the server of context ${config.getCurrentContext()} in the kubeconfig, or choose another with --context`,
  );
}

function isVersion(answer: unknown): boolean {
  return typeof (answer as { gitVersion?: unknown } | null)?.gitVersion === 'string';
}
