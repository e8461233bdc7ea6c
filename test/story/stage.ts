import { machineTraces } from '../fixtures/sandbox.ts';
import type { HeldConnection } from './held-connection.ts';
import { aquifer, type CommandResult, Kubectl } from './kubectl.ts';
import type { Narrator } from './narrator.ts';
import { type Echo, Shop } from './shop.ts';

/** Where a story is told. */
export interface StageSettings {
  readonly narrator: Narrator;
  /** What `aquifer` runs with; without a kubeconfig that is anybody's. */
  readonly env: NodeJS.ProcessEnv;
  /** Of the sandbox. */
  readonly kubeconfig: string;
  /** More options of `aquifer sandbox up`. */
  readonly up?: readonly string[];
}

/** A sandbox of this machine, and a narrator who shows every command that is given to it. */
export class Stage {
  readonly narrator: Narrator;
  readonly shop: Shop;
  readonly #kubectl: Kubectl;
  readonly #env: NodeJS.ProcessEnv;
  readonly #up: readonly string[];
  #before: Record<string, unknown> = {};
  #held: HeldConnection[] = [];

  constructor({ narrator, env, kubeconfig, up = [] }: StageSettings) {
    this.narrator = narrator;
    this.#env = env;
    this.#up = up;
    this.#kubectl = new Kubectl(kubeconfig, env);
    this.shop = new Shop(this.#kubectl);
  }

  /** Shows and runs `aquifer sandbox up`; throws if it fails. */
  async bringUp(): Promise<void> {
    this.#before = machineTraces();
    await this.#show('sandbox up', ['sandbox', 'up', ...this.#up]);
  }

  /** Shows and runs `aquifer sandbox down`; throws if it fails. */
  async takeDown(): Promise<CommandResult> {
    return await this.#show('sandbox down', ['sandbox', 'down']);
  }

  async #show(shownAs: string, args: readonly string[]): Promise<CommandResult> {
    this.narrator.typed(`npx aquifer ${shownAs}`);
    const onErrorLine = (line: string): void => this.narrator.cameBack(line);
    const result = await aquifer(this.#env, args, { onErrorLine });
    if (result.code === 0) return result;
    throw new Error(`aquifer ${args.join(' ')}: ${result.stdout}${result.stderr}`);
  }

  /** What on this machine is not as it was before the sandbox came: before and now, by what it is. */
  leftBehind(): Record<string, readonly [unknown, unknown]> {
    const now = machineTraces();
    const changed = Object.keys(now).filter(
      (what) => JSON.stringify(now[what]) !== JSON.stringify(this.#before[what]),
    );
    return Object.fromEntries(changed.map((what) => [what, [this.#before[what], now[what]]]));
  }

  /** Shows and runs a kubectl command; throws with what kubectl said if it fails. */
  async kubectl(...args: readonly string[]): Promise<string> {
    this.narrator.typed(`kubectl ${args.join(' ')}`);
    const output = await this.#kubectl.run(...args);
    this.narrator.cameBack(output);
    return output;
  }

  /** As `kubectl`, where nobody watches. */
  quietly(...args: readonly string[]): Promise<string> {
    return this.#kubectl.run(...args);
  }

  /** Shows and applies a manifest. */
  async apply(yaml: string): Promise<void> {
    this.narrator.typed(`kubectl apply -f - <<EOF\n${yaml.trim()}\nEOF`);
    this.narrator.cameBack(await this.#kubectl.apply(yaml));
  }

  /** As `apply`, for a manifest too long to be shown. */
  async applyFile(shownAs: string, yaml: string): Promise<void> {
    this.narrator.typed(`kubectl apply -f - <<EOF  # ${shownAs}`);
    this.narrator.cameBack(await this.#kubectl.apply(yaml), 3);
  }

  /** Shows and runs the restart of a workload; resolves when only its new pods are left. */
  async replacePods(
    namespace: string,
    workload: string,
    { label, pods }: { readonly label: string; readonly pods: number },
  ): Promise<void> {
    await this.kubectl('rollout', 'restart', '-n', namespace, workload);
    await this.shop.rolledOut(namespace, workload);
    await this.shop.untilLeft(namespace, label, pods);
  }

  /** Shows a request of a pod of the shop, and what the server saw of it. */
  async request(from: string, curlArgs: readonly string[] = []): Promise<Echo> {
    const args = curlArgs.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg)).join(' ');
    this.narrator.typed(
      `kubectl exec -n shop deploy/${from} -- curl -s ${args === '' ? '' : `${args} `}http://server.shop/`,
    );
    const echo = await this.shop.echo(from, '/', curlArgs);
    const { pod, version, remoteAddress } = echo;
    this.narrator.cameBack(JSON.stringify({ pod, version, remoteAddress }));
    return echo;
  }

  /** Shows and runs an `aquifer` command: its steps as they are done, then so many lines of what it printed. */
  async aquifer(
    args: readonly string[],
    shownLines: number,
    shownAs = args.join(' '),
  ): Promise<CommandResult> {
    this.narrator.typed(`npx aquifer ${shownAs}`);
    const onErrorLine = (line: string): void => this.narrator.cameBack(line);
    const result = await aquifer(this.#kubectl.env, args, { onErrorLine });
    if (shownLines > 0) this.narrator.cameBack(result.stdout, shownLines);
    return result;
  }

  /** A connection from a pod of the shop to the server, which talks until the chapter ends. */
  async hold(from: string): Promise<HeldConnection> {
    const held = await this.shop.hold(from);
    this.#held.push(held);
    return held;
  }

  /** Ends connections that are still held. */
  letGo(): void {
    for (const held of this.#held.splice(0)) held[Symbol.dispose]();
  }
}
