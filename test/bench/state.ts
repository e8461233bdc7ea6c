import type { BenchMachine } from './machine.ts';
import { Samples } from './samples.ts';

/** A fresh process takes half a minute. */
const MAX_ROUNDS = 3;

const script = (name: string): string => new URL(`./${name}.ts`, import.meta.url).pathname;

/** What large states cost the threads of a ztunnel that carry bytes; each round is a process of its own. */
export async function benchState(options: {
  readonly machine: BenchMachine;
  readonly rounds: number;
  readonly onProgress: (text: string) => void;
}): Promise<Samples> {
  const samples = new Samples();
  const probe = ['--expose-gc', '--import', script('stall-probe')];
  for (let round = 0; round < Math.min(options.rounds, MAX_ROUNDS); round++) {
    options.onProgress(`state: round ${round + 1}`);
    const text = await options.machine.run([process.execPath, ...probe, script('state-process')]);
    const result = JSON.parse(text) as Readonly<Record<string, number>>;
    for (const [name, value] of Object.entries(result)) samples.add(name, value);
  }
  return samples;
}
