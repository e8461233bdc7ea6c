import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { cpuSeconds, memoryKiB } from '@aquifer/compare';
import type { BenchMachine } from './machine.ts';
import type { Program, Programs } from './programs.ts';

/** Where load comes from, and which processes pay for carrying it. */
export interface LoadContext {
  readonly machine: BenchMachine;
  readonly programs: Programs;
  readonly namespace: string;
  readonly pids: readonly number[];
}

/** Amount of work done, and processor seconds of each process for it. */
export interface Measured {
  readonly amount: number;
  readonly seconds: number;
  readonly cpu: readonly number[];
}

/** Carries out work, which returns its amount. */
export async function measure(
  context: LoadContext,
  work: () => Promise<number>,
): Promise<Measured> {
  const before = context.pids.map((pid) => cpuSeconds([pid]));
  const startMs = performance.now();
  const amount = await work();
  const seconds = (performance.now() - startMs) / 1000;
  if (amount === 0) throw new Error('nothing was carried');
  return {
    amount,
    seconds,
    cpu: context.pids.map((pid, index) => cpuSeconds([pid]) - before[index]!),
  };
}

export interface RequestLoad {
  readonly url: string;
  readonly connections: number;
  readonly durationSeconds: number;
  /** A new connection for every request. */
  readonly close?: boolean;
}

/** Requests by wrk, closed loop; the amount is the number of complete answers. Throws if any failed. */
export function measureRequests(context: LoadContext, load: RequestLoad): Promise<Measured> {
  return measure(context, async () => {
    const { url, connections, durationSeconds, close = false } = load;
    const output = await context.machine.run(
      [
        ...[programPath(context, 'wrk'), '-t1', `-c${connections}`, `-d${durationSeconds}s`],
        ...(close ? ['-H', 'Connection: close'] : []),
        url,
      ],
      context.namespace,
    );
    const failed = /Non-2xx or 3xx responses: (\d+)/.exec(output);
    if (failed !== null)
      throw new Error(`${url}: ${failed[1]} requests were not answered with 200`);
    return Number(/(\d+) requests in/.exec(output)?.[1] ?? 0);
  });
}

/** Requests by h2load over HTTP/2, closed loop, four at a time on each connection; calls of gRPC if there is a message. */
export function measureHttp2Requests(
  context: LoadContext,
  load: Omit<RequestLoad, 'close'> & {
    /** File of a message with its prefix. */
    readonly grpcMessagePath?: string;
  },
): Promise<Measured> {
  return measure(context, async () => {
    const { url, connections, durationSeconds, grpcMessagePath } = load;
    const grpc = ['-H', 'content-type: application/grpc', '-H', 'te: trailers'];
    const output = await context.machine.run(
      [
        ...[programPath(context, 'h2load'), '-t1', `-c${connections}`, '-m4'],
        ...[`-D${durationSeconds}`, url],
        ...(grpcMessagePath === undefined ? [] : [...grpc, '-d', grpcMessagePath]),
      ],
      context.namespace,
    );
    const counts = /(\d+) succeeded, (\d+) failed/.exec(output);
    if (counts === null || counts[2] !== '0') throw new Error(`${url}: requests failed\n${output}`);
    return Number(counts[1]);
  });
}

/** Requests by h2load at a fixed rate, whatever they take; the amount is the number of complete answers. */
export function measureSteadyRequests(
  context: LoadContext,
  load: Omit<RequestLoad, 'close'> & { readonly perSecond: number },
): Promise<Measured> {
  return measure(context, async () => {
    const { url, connections, durationSeconds, perSecond } = load;
    const output = await context.machine.run(
      [
        ...[programPath(context, 'h2load'), '--h1', '-t1', `-c${connections}`],
        ...[`-D${durationSeconds}`, `--rps=${perSecond / connections}`, url],
      ],
      context.namespace,
    );
    const counts = /(\d+) succeeded, (\d+) failed/.exec(output);
    if (counts === null || counts[2] !== '0') throw new Error(`${url}: requests failed\n${output}`);
    return Number(counts[1]);
  });
}

/** Milliseconds until connections that are opened all at once have each had an answer. Throws if one has none. */
export async function measureBurst(
  { machine, namespace }: LoadContext,
  { host, port, connections }: { host: string; port: number; connections: number },
): Promise<number> {
  const script = new URL('./burst.ts', import.meta.url).pathname;
  const command = [process.execPath, script, host, String(port), String(connections)];
  return (JSON.parse(await machine.run(command, namespace)) as { ms: number }).ms;
}

interface IperfReport {
  readonly end: { readonly sum_received: { readonly bytes: number; readonly seconds: number } };
}

/** One connection as fast as it goes, by iperf3; the amount is bytes received, up or (reverse) down. */
export function measureBulk(
  context: LoadContext,
  options: { readonly host: string; readonly durationSeconds: number; readonly reverse: boolean },
): Promise<Measured> {
  const { host, durationSeconds, reverse } = options;
  return measure(context, async () => {
    const command = [programPath(context, 'iperf3'), '-J', '-c', host, '-t', `${durationSeconds}`];
    if (reverse) command.push('-R');
    const output = await context.machine.run(command, context.namespace);
    return (JSON.parse(output) as IperfReport).end.sum_received.bytes;
  });
}

/** MB that each process holds when idle, and KiB more per connection that has carried a request and is idle. */
export interface IdleMemory {
  readonly idleMb: readonly number[];
  readonly perConnectionKiB: readonly number[];
}

/**
 * To be called on fresh processes, since garbage of an earlier load would hide what connections hold. A few
 * connections come first, so that what is allocated once is not counted.
 */
export async function measureIdleMemory(
  context: LoadContext,
  options: { readonly host: string; readonly port: number; readonly connections: number },
): Promise<IdleMemory> {
  const { connections } = options;
  const idle = await settledMemory(context);
  await using first = await IdleConnections.open(context, {
    ...options,
    connections: connections / 5,
  });
  const before = await first.whileOpen(settledMemory(context));
  await using second = await IdleConnections.open(context, options);
  const after = await Promise.race(
    [first, second].map((held) => held.whileOpen(settledMemory(context))),
  );
  return {
    idleMb: idle.map((kib) => kib / 1024),
    perConnectionKiB: after.map((kib, index) => (kib - before[index]!) / connections),
  };
}

class IdleConnections {
  readonly #machine: BenchMachine;
  readonly #holder: ChildProcess;
  readonly #ended: Promise<never>;

  static async open(
    context: LoadContext,
    { host, port, connections }: { host: string; port: number; connections: number },
  ): Promise<IdleConnections> {
    const script = new URL('./idle-connections.ts', import.meta.url).pathname;
    const command = [process.execPath, script, host, String(port), String(connections)];
    const { machine, namespace } = context;
    const held = new IdleConnections(
      machine,
      machine.start(command, { namespace, output: 'pipe' }),
    );
    await held.whileOpen(once(held.#holder.stdout!, 'data'));
    return held;
  }

  private constructor(machine: BenchMachine, holder: ChildProcess) {
    this.#machine = machine;
    this.#holder = holder;
    this.#ended = once(holder, 'exit').then(() => {
      throw new Error('idle connections were closed');
    });
    this.#ended.catch(() => undefined);
  }

  /** Rejects if a connection is closed before `work` is done. */
  whileOpen<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#ended]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#machine.stop(this.#holder);
  }
}

async function settledMemory({ pids }: LoadContext): Promise<number[]> {
  await delay(SETTLE_MS);
  return pids.map((pid) => memoryKiB([pid]));
}

/** What opening connections leaves behind is given back in this time. */
const SETTLE_MS = 1500;

function programPath({ programs }: LoadContext, program: Program): string {
  const path = programs.paths.get(program);
  if (path === undefined) throw new Error(`${program} is not installed`);
  return path;
}
