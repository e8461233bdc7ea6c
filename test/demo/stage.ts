import { aquifer, type CommandResult, Kubectl } from '../story/kubectl.ts';
import { Shop } from '../story/shop.ts';
import type { Narrator } from './narrator.ts';

/** The sandbox of this machine, and a narrator who shows every command that is given to it. */
export class Stage {
  readonly narrator: Narrator;
  readonly shop: Shop;
  readonly #kubectl: Kubectl;

  constructor(narrator: Narrator, kubeconfig: string, env: NodeJS.ProcessEnv) {
    this.narrator = narrator;
    this.#kubectl = new Kubectl(kubeconfig, env);
    this.shop = new Shop(this.#kubectl);
  }

  /** Shows and runs a kubectl command; throws with what kubectl said if it fails. */
  async kubectl(...args: readonly string[]): Promise<string> {
    this.narrator.typed(`kubectl ${args.join(' ')}`);
    const output = await this.#kubectl.run(...args);
    this.narrator.cameBack(output);
    return output;
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

  /** Shows a request of a pod of the shop, and what the server saw of it. */
  async request(from: string, curlArgs: readonly string[] = []) {
    const args = curlArgs.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg)).join(' ');
    this.narrator.typed(
      `kubectl exec -n shop deploy/${from} -- curl -s ${args === '' ? '' : `${args} `}http://server.shop/`,
    );
    const echo = await this.shop.echo(from, '/', curlArgs);
    const { pod, version, remoteAddress } = echo;
    this.narrator.cameBack(JSON.stringify({ pod, version, remoteAddress }));
    return echo;
  }

  /** Shows and runs an `aquifer` command: its steps as they are done, then what it printed. */
  async aquifer(args: readonly string[], shownLines: number): Promise<CommandResult> {
    this.narrator.typed(`npx aquifer ${args.join(' ')}`);
    const onErrorLine = (line: string): void => this.narrator.cameBack(line);
    const result = await aquifer(this.#kubectl.env, args, { onErrorLine });
    this.narrator.cameBack(result.stdout, shownLines);
    return result;
  }
}
