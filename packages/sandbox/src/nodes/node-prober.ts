import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { LAUNCH_ENVIRONMENT } from './container-launch.ts';
import { namespacePath, nodeNamespace } from './network.ts';
import type { ProbeAnswer, ProbeQuestion } from './probe-process.ts';
import type { NetworkProbe } from './probes.ts';

const SCRIPT = fileURLToPath(new URL('./probe-process.ts', import.meta.url));

/**
 * The node's own process. A kubelet's probes come from the network of its node, which the sandbox cannot enter itself
 * without taking its other threads along. As the only process of the node that belongs to no pod, it is also what pods
 * with `hostPID` see as process 1.
 */
export class NodeProber {
  readonly #child: ChildProcess;
  readonly #open = new Map<number, (failure: string | null) => void>();
  #nextId = 1;

  constructor(nodeName: string) {
    const network = `--net=${namespacePath(nodeNamespace(nodeName))}`;
    const program = [process.execPath, '--max-semi-space-size=1', SCRIPT];
    this.#child = spawn('nsenter', [network, 'setpriv', '--pdeathsig', 'KILL', ...program], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: LAUNCH_ENVIRONMENT,
      cwd: '/',
    });
    this.#child.on('message', ({ id, failure }: ProbeAnswer) => this.#settle(id, failure));
    const onEnd = (): void => {
      for (const id of this.#open.keys()) this.#settle(id, 'the prober of the node has ended');
    };
    this.#child.on('error', onEnd).on('exit', onEnd);
  }

  /** Null if it could not be started. */
  get pid(): number | null {
    return this.#child.pid ?? null;
  }

  /** Null when the probe succeeded, else why it failed. Never rejects. */
  attempt(probe: NetworkProbe): Promise<string | null> {
    const id = this.#nextId++;
    const answer = Promise.withResolvers<string | null>();
    this.#open.set(id, answer.resolve);
    const question: ProbeQuestion = { id, probe };
    this.#child.send(question, (error) => {
      if (error !== null) this.#settle(id, error.message);
    });
    return answer.promise;
  }

  async stop(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#child.once('exit', () => resolve());
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) resolve();
    if (this.#child.pid === undefined) resolve();
    this.#child.kill('SIGKILL');
    await promise;
  }

  #settle(id: number, failure: string | null): void {
    this.#open.get(id)?.(failure);
    this.#open.delete(id);
  }
}
