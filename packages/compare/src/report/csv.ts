import { ROLES } from '../measure/mode-workloads.ts';
import { PROXY_ROLES, type RoundSample } from '../measure/sample.ts';
import { quantileMs } from '../statistics/histogram.ts';

type Column = readonly [string, (sample: RoundSample) => string | number];

const COLUMNS: readonly Column[] = [
  ['pods', ({ pods }) => pods],
  ['block', ({ block }) => block],
  ['order', ({ order }) => order],
  ['mode', ({ mode }) => mode],
  ['rate', ({ rate }) => rate],
  ['seconds', ({ seconds }) => seconds],
  ['intended', ({ load }) => load.intended],
  ['succeeded', ({ load }) => load.succeeded],
  ['failed', ({ load }) => load.failed],
  ['p50_ms', ({ load }) => quantileMs(load.latencies, 0.5).toFixed(3)],
  ['p99_ms', ({ load }) => quantileMs(load.latencies, 0.99).toFixed(3)],
  ['client_late_ms', ({ load }) => load.longestLateMs.toFixed(3)],
  ...ROLES.map(
    (role): Column => [`${role}_cpu_us`, ({ cpuMicros }) => Math.round(cpuMicros[role])],
  ),
  ['machine_cpu_us', ({ machine }) => Math.round(machine.busy)],
  ['kernel_cpu_us', ({ machine }) => Math.round(machine.kernel)],
  ['softirq_cpu_us', ({ machine }) => Math.round(machine.softirq)],
  ['foreign_cpu_us', ({ machine }) => Math.round(machine.foreign)],
  ...PROXY_ROLES.flatMap((role): Column[] => [
    [`${role}_private_kib`, ({ memory }) => Math.round(memory[role]?.privateKiB ?? 0)],
    [`${role}_file_kib`, ({ memory }) => Math.round(memory[role]?.fileKiB ?? 0)],
  ]),
];

/** Raw samples, a line for each round; no cell needs quotes. */
export function samplesCsv(samples: readonly RoundSample[]): string {
  const lines = samples.map((sample) => COLUMNS.map(([, value]) => value(sample)).join(','));
  return `${[COLUMNS.map(([name]) => name).join(','), ...lines].join('\n')}\n`;
}
