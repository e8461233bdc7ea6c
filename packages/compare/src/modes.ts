/** The ways of carrying the same traffic that are compared, in the order of the report. */
export const MODES = ['none', 'sidecar', 'ambient', 'waypoint'] as const;

export type Mode = (typeof MODES)[number];

/** Headings of the report. */
export const MODE_TITLES: Readonly<Record<Mode, string>> = {
  none: 'no mesh',
  sidecar: 'Envoy sidecars',
  ambient: 'ambient L4',
  waypoint: 'ambient + waypoint',
};

/** Name of the namespace that a mode's workloads live in while they are measured. */
export function modeNamespace(mode: Mode): string {
  return `aquifer-compare-${mode}`;
}
