import { parseArgs } from 'node:util';
import { ensureBundles } from '../fixtures/bundles.ts';
import { compileAhead } from './compile-ahead.ts';
import { benchControlPlane, CLUSTER_SIZES } from './control-plane.ts';
import { benchL4 } from './l4.ts';
import { benchL7, L7_BENCHES } from './l7/l7.ts';
import { BenchMachine } from './machine.ts';
import { benchMemory } from './memory.ts';
import { findPrograms, type Program } from './programs.ts';
import {
  CONTROL_PLANE_BUDGETS,
  CONTROL_PLANE_COLUMNS,
  formatMedians,
  formatVerdicts,
  judge,
  L4_BUDGETS,
  L4_COLUMNS,
  L7_BUDGETS,
  L7_COLUMNS,
  MEMORY_BUDGETS,
  MEMORY_COLUMNS,
  ROLLOUT_BUDGETS,
  STATE_BUDGETS,
  type Verdict,
} from './report.ts';
import { benchRollouts } from './rollouts.ts';
import type { Samples } from './samples.ts';
import { benchState } from './state.ts';

const USAGE = `npm run bench -- [--quick] [--only l4|l7|l7/<bench>|state|memory|rollouts|control-plane] [--json]

  --quick   one round of one second for each load: an impression in four minutes
  --only    l4: ztunnel pair against Envoy and HAProxy pairs; l7: waypoint against Envoy, nginx and HAProxy, or one bench
            of these: ${L7_BENCHES.map(({ name }) => name).join(', ')};
            state: what large states cost a ztunnel's threads that carry bytes;
            memory: of our programs in a sandbox with 50 pods, in four minutes; only when it is asked for
            rollouts: what fails while parts of the mesh are replaced under a load, in three minutes; only when asked for
            control-plane: what one event costs in clusters of up to 100,000 pods; only when asked for
  --json    every sample, summary and verdict as JSON on standard output
`;
/** No part of the whole. */
const ALONE = ['memory', 'rollouts', 'control-plane'];
const PARTS = ['l4', 'l7', 'state', ...L7_BENCHES.map(({ name }) => `l7/${name}`), ...ALONE];
const REQUIRED: readonly Program[] = ['ip', 'nft', 'curl', 'nginx', 'wrk', 'h2load', 'iperf3'];

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (flags.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}
if (flags.only !== undefined && !PARTS.includes(flags.only)) {
  console.error(`--only is one of ${PARTS.join(', ')}\n\n${USAGE}`);
  process.exit(64);
}
if (process.getuid?.() !== 0) {
  console.error('the bench makes network namespaces: run it as root');
  process.exit(77);
}
const programs = findPrograms(process.env);
for (const { program, remedy } of programs.missing) {
  console.error(`${program} is not installed (${remedy})`);
}
if (programs.missing.some(({ program }) => REQUIRED.includes(program))) process.exit(77);

ensureBundles();
Object.assign(process.env, compileAhead());
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => stop.abort(new Error(`ended by ${signal}`)));
}
const [rounds, durationSeconds] = flags.quick ? [1, 1] : [5, 2];
/** Proxies run for weeks: what is measured is what is left when the JIT compiler has settled. */
const warmUpSeconds = flags.quick ? 2 : 5;
const onProgress = (text: string): void => void process.stderr.write(`  ${text}\n`);
const options = { programs, rounds, durationSeconds, warmUpSeconds, onProgress };

interface Section {
  readonly name: string;
  readonly samples: Samples;
  readonly verdicts: readonly Verdict[];
  readonly text: string;
}

async function runL4(): Promise<Section> {
  await using machine = new BenchMachine(stop.signal);
  const samples = await benchL4({ machine, ...options });
  const verdicts = judge(L4_BUDGETS, samples);
  const medians = formatMedians(['ztunnel', 'envoy', 'haproxy'], L4_COLUMNS, samples);
  const text = `L4: client hop / server hop, mTLS, 32 connections; medians\n\n${medians}\n${formatVerdicts(verdicts)}`;
  return { name: 'l4', samples, verdicts, text };
}

async function runL7(): Promise<Section> {
  const [, bench = null] = flags.only?.split('/') ?? [];
  const samples = await benchL7({ signal: stop.signal, bench, ...options });
  const verdicts = judge(L7_BUDGETS, samples).filter(
    ({ measured }) => bench === null || measured !== null,
  );
  const medians = L7_COLUMNS.map((columns) =>
    formatMedians(['waypoint', 'envoy', 'nginx', 'haproxy'], columns, samples),
  );
  const text = `L7: one proxy, 10 routes and one policy unless said otherwise, 32 connections; medians\n\n${medians.join('\n')}\n${formatVerdicts(verdicts)}`;
  return { name: 'l7', samples, verdicts, text };
}

async function runState(): Promise<Section> {
  await using machine = new BenchMachine(stop.signal);
  const samples = await benchState({ machine, rounds, onProgress });
  const verdicts = judge(STATE_BUDGETS, samples);
  const text = `State: 100,000 workloads, 10,000 services, two threads\n\n${formatVerdicts(verdicts)}`;
  return { name: 'state', samples, verdicts, text };
}

async function runMemory(): Promise<Section> {
  const samples = await benchMemory(stop.signal, onProgress);
  const verdicts = judge(MEMORY_BUDGETS, samples);
  const medians = formatMedians(['ztunnel', 'waypoint', 'control-plane'], MEMORY_COLUMNS, samples);
  const text = `Memory in a sandbox, 50 pods on one node\n\n${medians}\n${formatVerdicts(verdicts)}`;
  return { name: 'memory', samples, verdicts, text };
}

async function runRollouts(): Promise<Section> {
  const { samples, table } = await benchRollouts(stop.signal, onProgress);
  const verdicts = judge(ROLLOUT_BUDGETS, samples);
  const text = `Roll-outs under an open-loop load from two nodes\n\n${table}\n${formatVerdicts(verdicts)}`;
  return { name: 'rollouts', samples, verdicts, text };
}

async function runControlPlane(): Promise<Section> {
  const samples = await benchControlPlane(rounds, onProgress);
  const verdicts = judge(CONTROL_PLANE_BUDGETS, samples);
  const medians = formatMedians(CLUSTER_SIZES, CONTROL_PLANE_COLUMNS, samples);
  const text = `Control plane: one event, a waypoint with 1,000 Services among others\n\n${medians}\n${formatVerdicts(verdicts)}`;
  return { name: 'control-plane', samples, verdicts, text };
}

const sections: Section[] = [];
try {
  const isAsked = (name: string) =>
    flags.only === undefined || flags.only === name || flags.only.startsWith(`${name}/`);
  if (flags.only === 'memory') sections.push(await runMemory());
  if (flags.only === 'rollouts') sections.push(await runRollouts());
  if (flags.only === 'control-plane') sections.push(await runControlPlane());
  if (isAsked('l4')) sections.push(await runL4());
  if (isAsked('l7')) sections.push(await runL7());
  if (isAsked('state')) sections.push(await runState());
} catch (error) {
  console.error((stop.signal.aborted ? (stop.signal.reason as Error) : (error as Error)).message);
  process.exit(stop.signal.aborted ? 130 : 1);
}
const byName = Object.fromEntries(
  sections.map(({ name, samples, verdicts }) => [name, { verdicts, samples }]),
);
process.stdout.write(
  flags.json
    ? `${JSON.stringify(byName, null, 2)}\n`
    : `\n${sections.map(({ text }) => text).join('\n')}`,
);
