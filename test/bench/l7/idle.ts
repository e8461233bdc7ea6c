import { measureIdleMemory } from '../load.ts';
import { SERVER_ADDRESS } from '../machine.ts';
import { type L7Bench, startEach } from './bench.ts';
import { allowing, l7Bootstrap } from './bootstrap.ts';
import { contender, HTTP1, onlyGet, staticProxies } from './proxies.ts';

const CONNECTIONS = 2000;

/** Connections that have carried one request each, on processes that have carried nothing else; measured once. */
export const IDLE: L7Bench = {
  name: 'idle',
  run: async (run) => {
    const bootstrap = l7Bootstrap([{ name: 'origin', ...HTTP1, policies: allowing('GET') }]);
    const contenders = staticProxies(bootstrap).map((kind) => contender(kind, onlyGet(HTTP1, '/')));
    const load = { host: SERVER_ADDRESS, port: HTTP1.port, connections: CONNECTIONS };
    for await (const { name, context } of startEach(run, contenders)) {
      const { perConnectionKiB } = await measureIdleMemory(context, load);
      run.samples.add(`${name} connection memory`, perConnectionKiB[0]!);
    }
  },
};
