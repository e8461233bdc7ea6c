/** The ways of carrying the same traffic that are compared, in the order of the report. */
export const MODES = ['none', 'sidecar', 'own-sidecar', 'ambient', 'waypoint'] as const;

export type Mode = (typeof MODES)[number];

/** Those that are measured unless others are asked for: nobody runs our engine as a sidecar but to know what it would cost. */
export const USUAL_MODES: readonly Mode[] = MODES.filter((mode) => mode !== 'own-sidecar');

/** Headings of the report. */
export const MODE_TITLES: Readonly<Record<Mode, string>> = {
  none: 'no mesh',
  sidecar: 'Envoy sidecars',
  'own-sidecar': 'own engine as sidecars',
  ambient: 'ambient L4',
  waypoint: 'ambient + waypoint',
};

/** Name of the namespace that a mode's workloads live in while they are measured. */
export function modeNamespace(mode: Mode): string {
  return `aquifer-compare-${mode}`;
}

/** What one gets for the cost, a line for each thing and an answer for each mode. */
export const WHAT_MODES_GIVE: readonly {
  readonly what: string;
  readonly answers: Readonly<Record<Mode, string>>;
}[] = [
  {
    what: 'mutual TLS between pods',
    answers: { none: 'no', sidecar: 'yes', 'own-sidecar': 'yes', ambient: 'yes', waypoint: 'yes' },
  },
  {
    what: 'policy by identity and port (L4)',
    answers: { none: 'no', sidecar: 'yes', 'own-sidecar': 'yes', ambient: 'yes', waypoint: 'yes' },
  },
  {
    what: 'policy by method, path, header, token (L7)',
    answers: { none: 'no', sidecar: 'yes', 'own-sidecar': 'yes', ambient: 'no', waypoint: 'yes' },
  },
  {
    what: 'retries, routes, splits of traffic',
    answers: { none: 'no', sidecar: 'yes', 'own-sidecar': 'yes', ambient: 'no', waypoint: 'yes' },
  },
  {
    what: 'balancing of each request, not only of each connection',
    answers: { none: 'no', sidecar: 'yes', 'own-sidecar': 'yes', ambient: 'no', waypoint: 'yes' },
  },
  {
    what: 'metrics and access log',
    answers: {
      none: 'no',
      sidecar: 'of requests',
      'own-sidecar': 'of requests',
      ambient: 'of connections and bytes',
      waypoint: 'of requests',
    },
  },
  {
    what: 'to enrol or leave',
    answers: {
      none: '–',
      sidecar: 'restarts each pod',
      'own-sidecar': 'restarts each pod',
      ambient: 'a label, no restart',
      waypoint: 'a label, no restart',
    },
  },
  {
    what: 'to upgrade the proxies',
    answers: {
      none: '–',
      sidecar: 'restarts each pod',
      'own-sidecar': 'restarts each pod',
      ambient: 'one proxy per node, connections of its pods end',
      waypoint: 'as ambient L4, and a rolling update of the waypoint',
    },
  },
  {
    what: 'who is hit when a proxy fails',
    answers: {
      none: '–',
      sidecar: 'its pod',
      'own-sidecar': 'its pod',
      ambient: 'pods of its node',
      waypoint: 'pods of its node; services of the waypoint',
    },
  },
];
