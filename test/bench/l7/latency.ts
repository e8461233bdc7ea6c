import { type LoadContext, measureRequests } from '../load.ts';
import { SERVER_ADDRESS } from '../machine.ts';
import { alternate, CONNECTIONS, type L7Bench, type Quantities } from './bench.ts';
import { allowing, l7Bootstrap, ROUTED } from './bootstrap.ts';
import { measureOpenLoop } from './open-loop.ts';
import { contender, HTTP1, onlyGet, staticProxies, urlOf } from './proxies.ts';

const PATH = `${ROUTED}/item`;

/** How long answers take at half of the rate that a proxy can carry. */
export const LATENCY: L7Bench = {
  name: 'latency',
  run: (run) => {
    const bootstrap = l7Bootstrap([{ name: 'origin', ...HTTP1, policies: allowing('GET') }]);
    const contenders = staticProxies(bootstrap).map((kind) =>
      contender(kind, onlyGet(HTTP1, PATH)),
    );
    return alternate(run, contenders, () => load);
  },
};

/** Finds the rate anew each time: what else the machine does changes both. */
async function load(context: LoadContext, seconds: number): Promise<Quantities> {
  const full = await measureRequests(context, {
    ...{ url: urlOf(HTTP1.port, PATH), connections: CONNECTIONS, durationSeconds: 1 },
  });
  const perSecond = full.amount / full.seconds / 2;
  const server = { host: SERVER_ADDRESS, port: HTTP1.port, path: PATH };
  const result = await measureOpenLoop(context, {
    ...{ ...server, perSecond, seconds, connections: CONNECTIONS },
  });
  if (result.failed > 0) throw new Error(`${result.failed} requests failed`);
  return {
    'half rate': perSecond,
    'p50 ms': result.p50Ms,
    'p99 ms': result.p99Ms,
    'client late ms': result.longestLateMs,
  };
}
