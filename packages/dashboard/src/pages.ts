/** A page behind the dashboard: a port of a pod. */
export interface Page {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
  /** What it is, such as `admin` or `Grafana`. */
  readonly title: string;
  /** Where to start. Default: `/`. */
  readonly path?: string;
}

/** Pages that belong together, such as those of the node proxies. */
export interface PageGroup {
  readonly title: string;
  /** What its pods say of themselves, by pod. */
  readonly rows: readonly {
    readonly namespace: string;
    readonly pod: string;
    readonly node: string;
    readonly state: string;
    readonly pages: readonly Page[];
  }[];
}

/** A namespace whose pods are in the mesh. */
export interface EnrolledNamespace {
  readonly name: string;
  /** Running pods that are to be captured, and those that are. */
  readonly pods: number;
  readonly captured: number;
  /** Name of the waypoint that its requests go through, `NAMESPACE/NAME` where that is another's; null without one. */
  readonly waypoint: string | null;
}

/** Everything that the first page tells. */
export interface MeshView {
  readonly namespaces: readonly EnrolledNamespace[];
  readonly groups: readonly PageGroup[];
}

/** Which port of which pod. */
export type PageTarget = Pick<Page, 'namespace' | 'pod' | 'port'>;

const HOST = /^p(\d{1,5})\.([a-z0-9-]+(?:\.[a-z0-9-]+)*)\.([a-z0-9-]+)\.localhost$/;
const LARGEST_PORT = 65_535;

/**
 * A page has a host name of its own below `localhost`, which browsers resolve to this machine: programs link to their own
 * pages from the root.
 */
export function hostOf({ namespace, pod, port }: PageTarget): string {
  return `p${port}.${pod}.${namespace}.localhost`;
}

/** The page that a host name stands for, without its port; null for others. */
export function targetOf(host: string): PageTarget | null {
  const [, port, pod, namespace] = HOST.exec(host) ?? [];
  if (port === undefined || Number(port) === 0 || Number(port) > LARGEST_PORT) return null;
  return { port: Number(port), pod: pod!, namespace: namespace! };
}
