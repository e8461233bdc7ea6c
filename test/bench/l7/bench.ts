import type { LoadContext } from '../load.ts';
import type { BenchMachine, NamespacePair } from '../machine.ts';
import type { Program, Programs } from '../programs.ts';
import type { Samples } from '../samples.ts';

/** Connections at a time over HTTP/1.1. */
export const CONNECTIONS = 32;
/** Connections over HTTP/2, with four streams each. */
export const HTTP2_CONNECTIONS = 8;

/** One question about L7 proxies. */
export interface L7Bench {
  /** What `--only l7/<name>` asks for. */
  readonly name: string;
  run(this: void, run: L7Run): Promise<void>;
}

/** What a bench is given. Its samples are called `<contender> <quantity>`. */
export interface L7Run {
  readonly machine: BenchMachine;
  readonly programs: Programs;
  readonly samples: Samples;
  readonly rounds: number;
  /** Of each load in each round. */
  readonly durationSeconds: number;
  /** Of each load before the first round. */
  readonly warmUpSeconds: number;
  readonly onProgress: (text: string) => void;
}

/** Where a proxy is started: loads come from the client's namespace, the proxy and its origins are in the server's. */
export interface L7Environment {
  readonly machine: BenchMachine;
  readonly programs: Programs;
  readonly namespaces: NamespacePair;
}

/** A proxy that takes part. */
export interface Contender {
  readonly name: string;
  /** Null for what is always there. */
  readonly needs: Program | null;
  /** Starts it before its origins; resolves with its process id when it answers. */
  start(environment: L7Environment): Promise<number>;
}

interface Running {
  readonly name: string;
  readonly context: LoadContext;
}

/** Starts those contenders that are installed, one after the other, each in namespaces of its own. */
export async function* startEach(
  { machine, programs, onProgress }: L7Run,
  contenders: readonly Contender[],
): AsyncGenerator<Running> {
  for (const { name, needs, start } of contenders) {
    if (needs !== null && !programs.paths.has(needs)) continue;
    onProgress(`${name}: start and warm up`);
    const namespaces = machine.addPair(name);
    const pid = await start({ machine, programs, namespaces });
    yield { name, context: { machine, programs, namespace: namespaces.client, pids: [pid] } };
  }
}

/** Puts a proxy under load for a time; returns what was measured by quantity. */
export type Load = (context: LoadContext, seconds: number) => Promise<Quantities>;
export type Quantities = Readonly<Record<string, number>>;

/** All contenders run at once, and loads alternate between them round by round. */
export async function alternate(
  run: L7Run,
  contenders: readonly Contender[],
  loadOf: (name: string) => Load,
): Promise<void> {
  const { rounds, durationSeconds, warmUpSeconds, samples, onProgress } = run;
  const running: (Running & { readonly load: Load })[] = [];
  for await (const { name, context } of startEach(run, contenders)) {
    const load = loadOf(name);
    await load(context, warmUpSeconds);
    running.push({ name, context, load });
  }
  for (let round = 1; round <= rounds; round++) {
    onProgress(`round ${round} of ${rounds}`);
    for (const { name, context, load } of running) {
      const quantities = await load(context, durationSeconds);
      for (const [quantity, value] of Object.entries(quantities)) {
        samples.add(`${name} ${quantity}`, value);
      }
    }
  }
}
