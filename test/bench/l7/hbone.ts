import { type LoadContext, measureRequests } from '../load.ts';
import { alternate, CONNECTIONS, type L7Bench, type Quantities } from './bench.ts';
import { DeployedWaypoints, ENTRY } from './deployed-waypoints.ts';

/** Small requests through a waypoint as it is deployed, HBONE on both sides. */
export const HBONE: L7Bench = {
  name: 'hbone',
  run: async (run) => {
    using waypoints = await DeployedWaypoints.create();
    await alternate(run, waypoints.contenders, () => load);
  },
};

async function load(context: LoadContext, durationSeconds: number): Promise<Quantities> {
  const url = `http://${ENTRY.host}:${ENTRY.port}${ENTRY.path}`;
  const requests = { url, connections: CONNECTIONS, durationSeconds };
  const { amount, seconds, cpu } = await measureRequests(context, requests);
  return { 'hbone cpu': (cpu[0]! / amount) * 1e6, 'hbone requests': amount / seconds };
}
