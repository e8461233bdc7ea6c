import { MODE_TITLES, MODES, type Mode } from './modes.ts';
import { type Summary, summarize, summarizeRatio } from './statistics.ts';

/** One mode in one round. */
export interface RoundSample {
  /** Processor seconds of the mode's proxies while the load ran. */
  readonly cpuSeconds: number;
  /** Memory of the mode's proxies after it. */
  readonly memoryKiB: number;
  readonly requests: number;
  readonly errors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What was measured of a mode, or why it could not be. */
export type ModeSamples =
  | { readonly kind: 'measured'; readonly rounds: readonly RoundSample[] }
  | { readonly kind: 'unavailable'; readonly reason: string };

/** A quantity with its spread, and its ratio to the sidecars' in the same rounds; null where there is none. */
interface Quantity extends Summary {
  readonly ratioToSidecars: Summary | null;
}

interface ModeReport {
  readonly mode: Mode;
  /** Why nothing was measured; null if something was. */
  readonly unavailable: string | null;
  readonly quantities: Readonly<Record<QuantityName, Quantity>> | null;
}

export interface ComparisonReport {
  /** Pods of the application in each mode. */
  readonly pods: number;
  /** Requests per second that the client was asked to make. */
  readonly rate: number;
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly modes: readonly ModeReport[];
}

type QuantityName = 'cpuMicrosPerRequest' | 'memoryMiB' | 'p50Ms' | 'p99Ms' | 'requests' | 'errors';

const QUANTITIES: Readonly<Record<QuantityName, (round: RoundSample) => number>> = {
  cpuMicrosPerRequest: ({ cpuSeconds, requests }) => (cpuSeconds * 1e6) / Math.max(1, requests),
  memoryMiB: ({ memoryKiB }) => memoryKiB / 1024,
  p50Ms: ({ p50Ms }) => p50Ms,
  p99Ms: ({ p99Ms }) => p99Ms,
  requests: ({ requests }) => requests,
  errors: ({ errors }) => errors,
};

const NAMES = Object.keys(QUANTITIES) as QuantityName[];

/** Summarises rounds; modes of one comparison must have been measured in the same rounds. */
export function compareModes(
  settings: Omit<ComparisonReport, 'modes'>,
  samples: ReadonlyMap<Mode, ModeSamples>,
): ComparisonReport {
  const sidecar = samples.get('sidecar');
  const base = sidecar?.kind === 'measured' ? sidecar.rounds : null;
  const modes = MODES.flatMap((mode): ModeReport[] => {
    const measured = samples.get(mode);
    if (measured === undefined) return [];
    if (measured.kind === 'unavailable') {
      return [{ mode, unavailable: measured.reason, quantities: null }];
    }
    const entries = NAMES.map((name) => {
      const values = measured.rounds.map(QUANTITIES[name]);
      const ratioToSidecars =
        base === null || mode === 'sidecar'
          ? null
          : summarizeRatio(values, base.map(QUANTITIES[name]));
      return [name, { ...summarize(values), ratioToSidecars }] as const;
    });
    const quantities = Object.fromEntries(entries) as Record<QuantityName, Quantity>;
    return [{ mode, unavailable: null, quantities }];
  });
  return { ...settings, modes };
}

const ROWS: readonly {
  readonly title: string;
  readonly name: QuantityName;
  readonly digits: number;
}[] = [
  { title: 'proxy CPU, µs per request', name: 'cpuMicrosPerRequest', digits: 0 },
  { title: 'proxy memory, MiB', name: 'memoryMiB', digits: 0 },
  { title: 'latency p50, ms', name: 'p50Ms', digits: 2 },
  { title: 'latency p99, ms', name: 'p99Ms', digits: 2 },
  { title: 'requests per round', name: 'requests', digits: 0 },
  { title: 'errors per round', name: 'errors', digits: 0 },
];

/** Table cells: a heading row, then a row for each quantity and one for its ratio to the sidecars. */
export function reportRows(report: ComparisonReport): {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
} {
  const rows = ROWS.flatMap(({ title, name, digits }) => {
    const own = report.modes.map(({ quantities }) =>
      quantities === null ? 'not measured' : formatSummary(quantities[name], digits),
    );
    const ratios = report.modes.map(({ quantities }) => {
      const ratio = quantities?.[name].ratioToSidecars ?? null;
      return ratio === null ? '' : `× ${formatSummary(ratio, 2)}`;
    });
    const isCost = name === 'cpuMicrosPerRequest' || name === 'memoryMiB';
    const hasRatio = isCost && ratios.some((cell) => cell !== '');
    return hasRatio
      ? [
          [title, ...own],
          ['  ratio to sidecars', ...ratios],
        ]
      : [[title, ...own]];
  });
  return { header: ['', ...report.modes.map(({ mode }) => MODE_TITLES[mode])], rows };
}

/** Why modes are missing from the report, a line each. */
export function reportNotes(report: ComparisonReport): string[] {
  return report.modes.flatMap(({ mode, unavailable }) =>
    unavailable === null ? [] : [`${MODE_TITLES[mode]}: not measured, because ${unavailable}`],
  );
}

function formatSummary({ median, min, max }: Summary, digits: number): string {
  const [low, high] = [min.toFixed(digits), max.toFixed(digits)];
  return low === high ? median.toFixed(digits) : `${median.toFixed(digits)} (${low}–${high})`;
}
