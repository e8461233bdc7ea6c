import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../fixtures/eventually.ts';
import type { LoadContext } from '../load.ts';
import { alternate, CONNECTIONS, type L7Bench, type Load } from './bench.ts';
import { DeployedWaypoints, ENTRY } from './deployed-waypoints.ts';
import { measureOpenLoop } from './open-loop.ts';

const PER_SECOND = 1000;
const BETWEEN_CHANGES_MS = 200;

/** Requests at a fixed rate while routes change five times a second. */
export const ROUTE_CHANGES: L7Bench = {
  name: 'route-changes',
  run: async (run) => {
    using waypoints = await DeployedWaypoints.create();
    await alternate(run, waypoints.contenders, (name) => new ChangingRoutes(name, waypoints).load);
  },
};

class ChangingRoutes {
  readonly #name: string;
  readonly #waypoints: DeployedWaypoints;
  #changes = 0;

  constructor(name: string, waypoints: DeployedWaypoints) {
    this.#name = name;
    this.#waypoints = waypoints;
  }

  readonly load: Load = async (context, seconds) => {
    const stop = new AbortController();
    const changes = this.#change(stop.signal);
    const loop = { ...ENTRY, perSecond: PER_SECOND, seconds, connections: CONNECTIONS };
    const measured = measureOpenLoop(context, loop).finally(() => stop.abort());
    const [result] = await Promise.all([measured, changes]);
    await this.#assertChanged(context);
    return {
      'changes failed': result.failed,
      'changes p99 ms': result.p99Ms,
      'changes gap ms': result.longestGapMs,
      'changes client late ms': result.longestLateMs,
    };
  };

  async #change(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#changes += 1;
      await this.#waypoints.redirect(this.#name, this.#prefix);
      await delay(BETWEEN_CHANGES_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  get #prefix(): string {
    return `/redirected-${this.#changes}`;
  }

  /** What is routed away by the last change is answered so. */
  async #assertChanged({ machine, namespace }: LoadContext): Promise<void> {
    const url = `http://${ENTRY.host}:${ENTRY.port}${this.#prefix}`;
    const command = ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', url];
    await eventually(async () => (await machine.run(command, namespace)) === '302', {
      what: `${this.#name}: the last change`,
    });
  }
}
