import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aquifer, type CommandResult, Kubectl } from './kubectl.ts';

/** A sandbox with the mesh in it, brought up and taken down as a user does: by the `aquifer` command. */
export class MeshSandbox {
  readonly kubectl: Kubectl;
  readonly #env: NodeJS.ProcessEnv;
  readonly #parent: string;

  private constructor(parent: string, env: NodeJS.ProcessEnv) {
    this.#parent = parent;
    this.#env = env;
    this.kubectl = new Kubectl(join(parent, 'data', 'kubeconfig'), env);
  }

  /** Throws with what the command said if it fails. `options` are those of `aquifer sandbox up`. */
  static async up(
    inherited: NodeJS.ProcessEnv,
    options: readonly string[] = [],
  ): Promise<MeshSandbox> {
    const parent = mkdtempSync(join(tmpdir(), 'aquifer-story-'));
    // Whoever runs this keeps the context of their own kubectl.
    const KUBECONFIG = join(parent, 'contexts');
    const env = { ...inherited, KUBECONFIG, SANDBOX_DATA_DIR: join(parent, 'data') };
    const { code, stdout, stderr } = await aquifer(env, [
      'sandbox',
      'up',
      '--port',
      '0',
      ...options,
    ]);
    const sandbox = new MeshSandbox(parent, env);
    if (code !== 0) {
      // A mesh that does not become ready leaves the cluster up, so that a person can look into it.
      await sandbox.down();
      throw new Error(`aquifer sandbox up failed: ${stdout}${stderr}`);
    }
    return sandbox;
  }

  /** Runs `aquifer` against this sandbox. */
  aquifer(args: readonly string[]): Promise<CommandResult> {
    return aquifer({ ...this.#env, KUBECONFIG: this.kubectl.env.KUBECONFIG }, args);
  }

  /** Process id of the sandbox. */
  async pid(): Promise<number> {
    const { stdout } = await this.aquifer(['sandbox', 'status', '-o', 'json']);
    return (JSON.parse(stdout) as { pid: number }).pid;
  }

  async down(): Promise<CommandResult> {
    const result = await this.aquifer(['sandbox', 'down']);
    rmSync(this.#parent, { recursive: true, force: true });
    return result;
  }
}
