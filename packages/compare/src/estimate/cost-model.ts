import { byBlock } from '../measure/plan.ts';
import type { ProxyRole, RoundSample } from '../measure/sample.ts';
import type { Mode } from '../modes.ts';
import { bootstrap, type Estimate } from '../statistics/bootstrap.ts';
import { fitLine, type Residual } from '../statistics/least-squares.ts';

/** `perInstance · instances + perPod · pods + perRps · requests per second`; instances are nodes, or waypoints. */
interface Line {
  readonly perInstance: number;
  readonly perPod: number;
  readonly perRps: number;
}

/** What one kind of proxy needs in one mode. */
export interface ProxyCost {
  readonly mode: MeshMode;
  readonly role: ProxyRole;
  readonly memoryMiB: Line;
  /** Millicores. */
  readonly cpuMillis: Line;
  /** How well the lines fit: one for each size and rate. */
  readonly memoryResiduals: readonly Residual[];
  readonly cpuResiduals: readonly Residual[];
}

export type MeshMode = Exclude<Mode, 'none'>;

/** What the modes of a mesh cost, as lines through what a run measured. */
export interface CostModel {
  /** Of the run, for people: when, on what, with what. */
  readonly source: string;
  readonly costs: readonly ProxyCost[];
  /** Pods per node from which on the mode needs less memory than sidecars, on the run's nodes; null where it never does. */
  readonly breakEven: readonly {
    readonly mode: 'ambient' | 'waypoint';
    readonly podsPerNode: Estimate | null;
  }[];
}

/** A cluster to estimate for. */
export interface ClusterSize {
  readonly nodes: number;
  readonly podsPerNode: number;
  /** Requests per second of all pods together, each counted once. */
  readonly rps: number;
  readonly waypoints: number;
}

/** What all proxies of a mode need. */
export interface Need {
  readonly memoryMiB: number;
  readonly cpuMillis: number;
}

/** Which proxies work in a mode. */
const ROLES_OF: Readonly<Record<MeshMode, readonly ProxyRole[]>> = {
  sidecar: ['sidecar'],
  'own-sidecar': ['sidecar'],
  ambient: ['nodeProxy'],
  waypoint: ['nodeProxy', 'waypoint'],
};

export const MESH_MODES = Object.keys(ROLES_OF) as MeshMode[];

/** Fits the lines. Costs that the samples do not determine (one size of cluster only) are missing. */
export function fitCosts(samples: readonly RoundSample[], nodes: number): ProxyCost[] {
  return MESH_MODES.flatMap((mode) => {
    const own = samples.filter((sample) => sample.mode === mode);
    return ROLES_OF[mode].flatMap((role): ProxyCost[] => {
      const cells = [...Map.groupBy(own, ({ pods, rate }) => `${pods} ${rate}`).values()];
      const rows = cells.map((cell) => meanOf(cell, role));
      const memory = fitted(role, nodes, rows, ({ memoryMiB }) => memoryMiB);
      const cpu = fitted(role, nodes, rows, ({ cpuMillis }) => cpuMillis);
      if (memory === null || cpu === null) return [];
      return [
        {
          mode,
          role,
          memoryMiB: memory.line,
          cpuMillis: cpu.line,
          memoryResiduals: memory.residuals,
          cpuResiduals: cpu.residuals,
        },
      ];
    });
  });
}

interface Cell extends Need {
  readonly pods: number;
  readonly rps: number;
}

/** Of rounds of one size and rate. */
function meanOf(samples: readonly RoundSample[], role: ProxyRole): Cell {
  const sum = (value: (sample: RoundSample) => number): number =>
    samples.reduce((total, sample) => total + value(sample), 0);
  const seconds = sum((sample) => sample.seconds);
  const kib = sum(({ memory }) => (memory[role]?.privateKiB ?? 0) + (memory[role]?.fileKiB ?? 0));
  return {
    pods: samples[0]!.podsServed,
    rps: sum(({ load }) => load.succeeded) / seconds,
    memoryMiB: kib / samples.length / 1024,
    cpuMillis: sum(({ cpuMicros }) => cpuMicros[role]) / seconds / 1000,
  };
}

function fitted(
  role: ProxyRole,
  nodes: number,
  cells: readonly Cell[],
  value: (cell: Cell) => number,
): { readonly line: Line; readonly residuals: readonly Residual[] } | null {
  // There is one waypoint, whatever the number of pods and nodes.
  const isWaypoint = role === 'waypoint';
  const rows = cells.map(({ pods, rps }) => (isWaypoint ? [1, rps] : [nodes, pods, rps]));
  const fit = fitLine(rows, cells.map(value));
  if (fit === null) return null;
  const [perInstance = 0, second = 0, third = 0] = fit.coefficients;
  const line = isWaypoint
    ? { perInstance, perPod: 0, perRps: second }
    : { perInstance, perPod: second, perRps: third };
  return { line, residuals: fit.residuals };
}

/** What a mode would need in a cluster; null if its costs are not known. */
export function needOf(
  costs: readonly ProxyCost[],
  mode: MeshMode,
  cluster: ClusterSize,
): Need | null {
  const roles = ROLES_OF[mode];
  const own = costs.filter((cost) => cost.mode === mode);
  if (own.length < roles.length) return null;
  const pods = cluster.nodes * cluster.podsPerNode;
  const total = (line: (cost: ProxyCost) => Line): number =>
    own.reduce((sum, cost) => {
      const { perInstance, perPod, perRps } = line(cost);
      const instances = cost.role === 'waypoint' ? cluster.waypoints : cluster.nodes;
      return sum + perInstance * instances + perPod * pods + perRps * cluster.rps;
    }, 0);
  return { memoryMiB: total((cost) => cost.memoryMiB), cpuMillis: total((cost) => cost.cpuMillis) };
}

/**
 * Pods per node from which on a mode needs less memory than sidecars, on so many nodes and with one waypoint for all; NaN if
 * it never does.
 */
export function breakEvenPods(
  costs: readonly ProxyCost[],
  mode: 'ambient' | 'waypoint',
  nodes: number,
): number {
  const at = (of: MeshMode, podsPerNode: number): number => {
    const cluster = { nodes, podsPerNode, rps: 0, waypoints: 1 };
    return needOf(costs, of, cluster)?.memoryMiB ?? Number.NaN;
  };
  const fixed = at(mode, 0) - at('sidecar', 0);
  const savedPerPod = at('sidecar', 1) - at('sidecar', 0) - (at(mode, 1) - at(mode, 0));
  if (savedPerPod <= 0) return Number.NaN;
  return Math.max(0, fixed / savedPerPod);
}

/** The model of a run; null if it was made at one size only, which does not tell what a pod costs. */
export function costModel(
  samples: readonly RoundSample[],
  nodes: number,
  source: string,
): CostModel | null {
  if (new Set(samples.map(({ pods }) => pods)).size < 2) return null;
  const costs = fitCosts(samples, nodes);
  const breakEven = (['ambient', 'waypoint'] as const).flatMap((mode) =>
    costs.some((cost) => cost.mode === mode) && costs.some((cost) => cost.mode === 'sidecar')
      ? [
          {
            mode,
            podsPerNode: bootstrap(byBlock(samples), (blocks) =>
              breakEvenPods(fitCosts(blocks.flat(), nodes), mode, nodes),
            ),
          },
        ]
      : [],
  );
  return { source, costs, breakEven };
}
