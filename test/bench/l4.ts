import { setTimeout as delay } from 'node:timers/promises';
import { TestAuthority } from '../fixtures/certificates.ts';
import { startEnvoyPair } from './l4-envoy.ts';
import { startHaproxyPair } from './l4-haproxy.ts';
import {
  assertTunnelled,
  HTTP_PORT,
  IPERF_PORT,
  type PairEnvironment,
  type ProxyPair,
} from './l4-pair.ts';
import { startZtunnelPair } from './l4-ztunnel.ts';
import {
  type IdleMemory,
  type LoadContext,
  type Measured,
  measureBulk,
  measureBurst,
  measureIdleMemory,
  measureRequests,
  measureSteadyRequests,
} from './load.ts';
import { type BenchMachine, type NamespacePair, SERVER_ADDRESS } from './machine.ts';
import { startOrigin } from './origin.ts';
import type { Program, Programs } from './programs.ts';
import { Samples } from './samples.ts';

const CONNECTIONS = 32;
const STEADY_PER_SECOND = 1000;
const BURST = { host: SERVER_ADDRESS, port: HTTP_PORT, connections: 1000 };
/** Tunnels of the pair that takes bursts are closed when they have carried nothing for so long. */
const BURST_POOL_IDLE_MS = 1000;
const IDLE = { host: SERVER_ADDRESS, port: HTTP_PORT, connections: 2000 };
const URL = `http://${SERVER_ADDRESS}:${HTTP_PORT}/`;

interface Contender {
  readonly name: string;
  readonly needs: Program | null;
  start(environment: PairEnvironment): ProxyPair;
}

const CONTENDERS: readonly Contender[] = [
  { name: 'ztunnel', needs: null, start: (environment) => startZtunnelPair(environment) },
  { name: 'envoy', needs: 'envoy', start: startEnvoyPair },
  { name: 'haproxy', needs: 'haproxy', start: startHaproxyPair },
];

export interface L4Options {
  readonly machine: BenchMachine;
  readonly programs: Programs;
  readonly rounds: number;
  /** Of each load in each round. */
  readonly durationSeconds: number;
  /** Of each load before the first round. */
  readonly warmUpSeconds: number;
  readonly onProgress: (text: string) => void;
}

/**
 * Our pair of proxies and each peer's, in namespaces of their own, all running at once; loads alternate between them.
 * Samples are called `<contender> <quantity>`.
 */
export async function benchL4(options: L4Options): Promise<Samples> {
  const { machine, programs, warmUpSeconds, onProgress } = options;
  using authority = new TestAuthority();
  const samples = new Samples();
  const running: { name: string; context: LoadContext }[] = [];
  for (const contender of CONTENDERS) {
    if (contender.needs !== null && !programs.paths.has(contender.needs)) continue;
    onProgress(`${contender.name}: memory and warm-up`);
    const namespaces = machine.addPair(contender.name);
    await startServers(machine, programs, namespaces);
    const pair = contender.start({ machine, programs, namespaces, authority });
    await machine.untilAnswered(namespaces.client, URL);
    const pids = [pair.clientPid, pair.serverPid];
    const context = { machine, programs, namespace: namespaces.client, pids };
    addMemory(samples, contender.name, await measureIdleMemory(context, IDLE));
    await measureRound(context, warmUpSeconds);
    assertTunnelled(namespaces, contender.name);
    running.push({ name: contender.name, context });
  }
  for (let round = 1; round <= options.rounds; round++) {
    for (const { name, context } of running) {
      onProgress(`round ${round} of ${options.rounds}: ${name}`);
      addRound(samples, name, await measureRound(context, options.durationSeconds));
    }
  }
  await benchBurst(options, authority, samples);
  return samples;
}

/** How long connections take that are all opened at once, when no tunnel is open, and when one is. */
async function benchBurst(
  { machine, programs, rounds, warmUpSeconds, onProgress }: L4Options,
  authority: TestAuthority,
  samples: Samples,
): Promise<void> {
  onProgress(`${BURST.connections} connections at once`);
  const namespaces = machine.addPair('burst');
  await startServers(machine, programs, namespaces);
  const environment = { machine, programs, namespaces, authority };
  const pair = startZtunnelPair(environment, BURST_POOL_IDLE_MS);
  await machine.untilAnswered(namespaces.client, URL);
  const pids = [pair.clientPid, pair.serverPid];
  const context = { machine, programs, namespace: namespaces.client, pids };
  await measureRound(context, warmUpSeconds);
  for (let round = 1; round <= rounds; round++) {
    await delay(2 * BURST_POOL_IDLE_MS);
    samples.add('ztunnel burst cold', await measureBurst(context, BURST));
    samples.add('ztunnel burst warm', await measureBurst(context, BURST));
  }
}

function addMemory(samples: Samples, name: string, memory: IdleMemory): void {
  const { idleMb, perConnectionKiB } = memory;
  samples.add(`${name} memory`, (idleMb[0]! + idleMb[1]!) / 2);
  samples.add(`${name} client connection memory`, perConnectionKiB[0]!);
  samples.add(`${name} server connection memory`, perConnectionKiB[1]!);
}

interface Round {
  readonly requests: Measured;
  readonly steady: Measured;
  readonly connects: Measured;
  readonly up: Measured;
  readonly down: Measured;
}

async function measureRound(context: LoadContext, durationSeconds: number): Promise<Round> {
  const load = { url: URL, connections: CONNECTIONS, durationSeconds };
  const bulk = { host: SERVER_ADDRESS, durationSeconds };
  return {
    requests: await measureRequests(context, load),
    steady: await measureSteadyRequests(context, { ...load, perSecond: STEADY_PER_SECOND }),
    connects: await measureRequests(context, { ...load, close: true }),
    up: await measureBulk(context, { ...bulk, reverse: false }),
    down: await measureBulk(context, { ...bulk, reverse: true }),
  };
}

function addRound(samples: Samples, name: string, round: Round): void {
  const hops = ['client', 'server'] as const;
  const add = (quantity: string, { amount, cpu }: Measured, scale: number): void => {
    for (const [index, hop] of hops.entries()) {
      samples.add(`${name} ${hop} ${quantity}`, (cpu[index]! / amount) * scale);
    }
    samples.add(`${name} ${quantity}`, ((cpu[0]! + cpu[1]!) / amount) * scale);
  };
  add('request cpu', round.requests, 1e6);
  add('steady request cpu', round.steady, 1e6);
  add('connect cpu', round.connects, 1e6);
  add('up cpu', round.up, 1e9);
  add('down cpu', round.down, 1e9);
  samples.add(`${name} requests`, round.requests.amount / round.requests.seconds);
  samples.add(`${name} connects`, round.connects.amount / round.connects.seconds);
  samples.add(`${name} up`, round.up.amount / round.up.seconds / 1e6);
  samples.add(`${name} down`, round.down.amount / round.down.seconds / 1e6);
}

/** What the client's connections lead to: nginx, and iperf3. */
async function startServers(
  machine: BenchMachine,
  programs: Programs,
  { server }: NamespacePair,
): Promise<void> {
  const iperf = [programs.paths.get('iperf3')!, '-s', '-p', String(IPERF_PORT)];
  machine.start(iperf, { namespace: server });
  await startOrigin({ machine, programs, namespace: server, port: HTTP_PORT });
}
