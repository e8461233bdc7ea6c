import { type LoadContext, measureRequests } from '../load.ts';
import { SERVER_ADDRESS } from '../machine.ts';
import { alternate, CONNECTIONS, type L7Bench, type Quantities } from './bench.ts';
import { allowing, l7Bootstrap, ROUTED } from './bootstrap.ts';
import { measureOpenLoop, type OpenLoopResult } from './open-loop.ts';
import { contender, HTTP1, onlyGet, staticProxies, urlOf } from './proxies.ts';

const PATH = `${ROUTED}/item`;

/** How long answers take at half of the rate that a proxy can carry, and at half of what the slowest can. */
export const LATENCY: L7Bench = {
  name: 'latency',
  run: (run) => {
    const bootstrap = l7Bootstrap([{ name: 'origin', ...HTTP1, policies: allowing('GET') }]);
    const contenders = staticProxies(bootstrap).map((kind) =>
      contender(kind, onlyGet(HTTP1, PATH)),
    );
    const load = new HalfRate();
    return alternate(run, contenders, () => load.measure);
  },
};

class HalfRate {
  /** Of all contenders so far. */
  #lowest = Number.POSITIVE_INFINITY;

  /** Finds the rate anew each time: what else the machine does changes both. */
  readonly measure = async (context: LoadContext, seconds: number): Promise<Quantities> => {
    const full = await measureRequests(context, {
      ...{ url: urlOf(HTTP1.port, PATH), connections: CONNECTIONS, durationSeconds: 1 },
    });
    const perSecond = full.amount / full.seconds / 2;
    this.#lowest = Math.min(this.#lowest, perSecond);
    const own = await answersAt(context, perSecond, seconds);
    const same = await answersAt(context, this.#lowest, seconds);
    return {
      'half rate': perSecond,
      'p50 ms': own.p50Ms,
      'p99 ms': own.p99Ms,
      'same rate p99 ms': same.p99Ms,
      'client late ms': own.longestLateMs,
    };
  };
}

async function answersAt(
  context: LoadContext,
  perSecond: number,
  seconds: number,
): Promise<OpenLoopResult> {
  const server = { host: SERVER_ADDRESS, port: HTTP1.port, path: PATH };
  const loop = { ...server, perSecond, seconds, connections: CONNECTIONS };
  const result = await measureOpenLoop(context, loop);
  if (result.failed > 0) throw new Error(`${result.failed} requests failed`);
  return result;
}
