import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Samples } from './samples.ts';

/** Each is measured in a process of its own; ratios are to the first. */
const SIZES = [
  { name: '1,000 pods', pods: 1000, services: 100, waypoints: 4 },
  { name: '10,000 pods', pods: 10_000, services: 1000, waypoints: 40 },
  { name: '100,000 pods', pods: 100_000, services: 10_000, waypoints: 400 },
] as const;

export const CLUSTER_SIZES: readonly string[] = SIZES.map(({ name }) => name);

/** What one event costs the control plane, in clusters of several sizes. Samples are called `<size> <quantity>`. */
export async function benchControlPlane(
  rounds: number,
  onProgress: (text: string) => void,
): Promise<Samples> {
  const samples = new Samples();
  const script = new URL('./control-plane-process.ts', import.meta.url).pathname;
  for (let round = 1; round <= rounds; round++) {
    for (const { name, pods, services, waypoints } of SIZES) {
      onProgress(`control plane: round ${round}, ${name}`);
      const args = ['--expose-gc', script, ...[pods, services, waypoints].map(String)];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      for (const [quantity, value] of Object.entries(
        JSON.parse(stdout) as Record<string, number>,
      )) {
        samples.add(`${name} ${quantity}`, value);
      }
    }
  }
  return samples;
}
