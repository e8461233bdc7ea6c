import {
  type ClusterSize,
  type CostModel,
  MESH_MODES,
  type MeshMode,
  needOf,
} from './cost-model.ts';

/** What processors and memory cost. */
export interface Prices {
  readonly currency: string;
  /** One processor for a month. */
  readonly vcpuMonth: number;
  /** One GiB of memory for a month. */
  readonly gibMonth: number;
}

interface ProjectedMode {
  readonly mode: MeshMode;
  readonly memoryGiB: number;
  readonly cpuCores: number;
  /** Null without prices. */
  readonly costPerMonth: number | null;
}

/** What the modes would need in a cluster of another size, by the model of a run. */
export interface Projection {
  readonly cluster: ClusterSize;
  readonly prices: Prices | null;
  readonly modes: readonly ProjectedMode[];
}

/** Modes whose costs the model does not know are missing. */
export function project(model: CostModel, cluster: ClusterSize, prices: Prices | null): Projection {
  const modes = MESH_MODES.flatMap((mode): ProjectedMode[] => {
    const need = needOf(model.costs, mode, cluster);
    if (need === null) return [];
    const memoryGiB = need.memoryMiB / 1024;
    const cpuCores = need.cpuMillis / 1000;
    const costPerMonth =
      prices === null ? null : memoryGiB * prices.gibMonth + cpuCores * prices.vcpuMonth;
    return [{ mode, memoryGiB, cpuCores, costPerMonth }];
  });
  return { cluster, prices, modes };
}

/** Prices from a parsed file `{currency, vcpuMonth, gibMonth}`. Throws an Error that names what is wrong. */
export function parsePrices(value: unknown): Prices {
  const { currency, vcpuMonth, gibMonth } = (value ?? {}) as Partial<Prices>;
  if (typeof currency !== 'string') throw new Error('currency: not a text such as EUR');
  const price = (name: string, amount: unknown): number => {
    if (typeof amount === 'number' && amount >= 0) return amount;
    throw new Error(`${name}: not a price per month, such as 22.5`);
  };
  return {
    currency,
    vcpuMonth: price('vcpuMonth', vcpuMonth),
    gibMonth: price('gibMonth', gibMonth),
  };
}
