import { BenchMachine } from '../machine.ts';
import { Samples } from '../samples.ts';
import type { L7Bench, L7Run } from './bench.ts';
import { BULK } from './bulk.ts';
import { GRPC } from './grpc.ts';
import { HBONE } from './hbone.ts';
import { IDLE } from './idle.ts';
import { LARGE_CONFIGURATION } from './large-configuration.ts';
import { LATENCY } from './latency.ts';
import { REQUESTS } from './requests.ts';
import { ROUTE_CHANGES } from './route-changes.ts';

/** All that is measured of L7 proxies, in this order. */
export const L7_BENCHES: readonly L7Bench[] = [
  REQUESTS,
  GRPC,
  LARGE_CONFIGURATION,
  BULK,
  LATENCY,
  IDLE,
  HBONE,
  ROUTE_CHANGES,
];

export interface L7Options extends Omit<L7Run, 'machine' | 'samples'> {
  /** When it aborts, what runs is ended. */
  readonly signal: AbortSignal;
  /** Name of the only one to run; null runs all. */
  readonly bench: string | null;
}

/** Runs benches one after the other, each on a machine of its own: what another left there costs it nothing. */
export async function benchL7({ signal, bench, ...options }: L7Options): Promise<Samples> {
  const samples = new Samples();
  for (const { name, run } of L7_BENCHES) {
    if (bench !== null && bench !== name) continue;
    await using machine = new BenchMachine(signal);
    const onProgress = (text: string) => options.onProgress(`${name}: ${text}`);
    await run({ ...options, machine, samples, onProgress });
  }
  return samples;
}
