import type { HttpAnswer, HttpHandler, HttpRoutes } from '@aquifer/runtime';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { KNOWN_TYPES } from '../capabilities/known-types.ts';
import type { ClusterStatus } from '../clusters/cluster-status.ts';
import type { DataPlane } from '../data-plane/data-plane.ts';
import { clusterStatuses, clusterText } from './clusters-page.ts';
import { configDump, type DumpSource } from './config-dump.ts';
import { listenerStatuses } from './listeners-page.ts';

/** Where a proxy is between its start and its end, in Envoy's words. */
export type ServerState = 'INITIALIZING' | 'LIVE' | 'DRAINING';

export interface AdminPageOptions {
  readonly version: string;
  readonly node: JsonObject;
  readonly dataPlane: DataPlane;
  readonly certificate: () => DumpSource['certificate'];
  readonly state: () => ServerState;
  readonly stats: HttpHandler;
  readonly levels: LogLevels;
  /** Begins an orderly end of the process. */
  readonly onQuit: () => void;
}

/** Log levels of the whole process. */
export interface LogLevels {
  readonly current: string;
  /** False if the list is not understood. */
  change(levels: string): boolean;
}

const PAGES: Readonly<Record<string, string>> = {
  '/clusters': 'endpoints of each cluster and their health; ?format=json',
  '/config_dump': 'what is served; ?include_eds, ?resource=dynamic_listeners',
  '/help': 'this list',
  '/listeners': 'where connections are accepted; ?format=json',
  '/logging': 'POST ?level=debug sets the level of all loggers, ?router=debug of one',
  '/quitquitquit': 'POST ends the process in order',
  '/ready': '200 once it serves',
  '/server_info': 'version, state and age',
  '/stats': 'counters; ?format=prometheus, ?filter=REGEX',
  '/stats/prometheus': 'counters for Prometheus',
};

/** What is served on 15000, as Envoy's admin interface, as far as istioctl and people look at it. */
export function adminPages(options: AdminPageOptions): HttpRoutes {
  const { dataPlane, stats } = options;
  const startedAtMs = Date.now();
  return {
    '/': () => text(200, helpText()),
    '/help': () => text(200, helpText()),
    '/config_dump': ({ url }) => json(dump(options, url)),
    '/clusters': async ({ url }) => {
      const statuses = await dataPlane.clusters();
      return isJson(url) ? json(clusterStatuses(statuses)) : text(200, clusterText(statuses));
    },
    '/listeners': ({ url }) => {
      const statuses = listenerStatuses(dataPlane.resources);
      if (isJson(url)) return json({ listener_statuses: statuses.map(({ status }) => status) });
      return text(200, statuses.map(({ line }) => `${line}\n`).join(''));
    },
    '/logging': (request) => logging(request, options.levels),
    '/quitquitquit': ({ method }) => {
      if (method !== 'POST') return mustPost();
      options.onQuit();
      return text(200, 'OK\n');
    },
    '/ready': () => {
      const state = options.state();
      return text(state === 'LIVE' ? 200 : 503, `${state}\n`);
    },
    '/server_info': () => json(serverInfo(options, startedAtMs)),
    '/stats': async (request) => {
      const { url } = request;
      if (url.searchParams.get('format') === 'prometheus') return stats(request);
      const statistics = statisticsOf(options, await dataPlane.clusters(), startedAtMs);
      return showStatistics(statistics, url);
    },
    '/stats/prometheus': stats,
  };
}

function dump(
  { dataPlane, node, certificate }: AdminPageOptions,
  { searchParams }: URL,
): JsonObject {
  const { resources } = dataPlane;
  return configDump(
    { resources, types: KNOWN_TYPES, node, certificate: certificate() },
    {
      includesEndpoints: searchParams.has('include_eds'),
      resource: searchParams.get('resource'),
    },
  );
}

function serverInfo({ version, node, state }: AdminPageOptions, startedAtMs: number): JsonObject {
  const seconds = `${Math.floor((Date.now() - startedAtMs) / 1000)}s`;
  return {
    version: `aquifer/${version}/Clean/RELEASE/node-${process.versions.node}`,
    state: state(),
    hot_restart_version: 'disabled',
    command_line_options: { mode: 'Serve' },
    node,
    uptime_current_epoch: seconds,
    uptime_all_epochs: seconds,
  };
}

type Statistic = readonly [name: string, value: number];

function statisticsOf(
  { dataPlane, state }: AdminPageOptions,
  clusters: readonly ClusterStatus[],
  startedAtMs: number,
): readonly Statistic[] {
  return [
    ...clusters.flatMap(({ name, hosts }): Statistic[] => [
      [`cluster.${name}.membership_healthy`, hosts.filter(({ isHealthy }) => isHealthy).length],
      [`cluster.${name}.membership_total`, hosts.length],
      [`cluster.${name}.upstream_rq_active`, hosts.reduce((sum, { active }) => sum + active, 0)],
    ]),
    ['cluster_manager.active_clusters', dataPlane.resources.all('cluster').length],
    ['listener_manager.total_listeners_active', dataPlane.resources.all('listener').length],
    ['server.live', state() === 'LIVE' ? 1 : 0],
    ['server.memory_allocated', process.memoryUsage().heapUsed],
    ['server.uptime', Math.floor((Date.now() - startedAtMs) / 1000)],
  ];
}

function showStatistics(statistics: readonly Statistic[], { searchParams }: URL): HttpAnswer {
  const wanted = searchParams.get('filter') ?? '';
  const shown = statistics.filter(([name]) => name.includes(wanted));
  if (searchParams.get('format') === 'json') {
    return json({ stats: shown.map(([name, value]) => ({ name, value })) });
  }
  return text(200, shown.map(([name, value]) => `${name}: ${value}\n`).join(''));
}

/** `?level=debug`, `?paths=a:debug,b:info` and `?NAME=debug`, as Envoy's. */
function logging({ method, url }: Parameters<HttpHandler>[0], levels: LogLevels): HttpAnswer {
  if (method !== 'POST') return mustPost();
  const asked = [...url.searchParams].map(([key, value]) => {
    if (key === 'level') return value;
    return key === 'paths' ? value.replaceAll(':', '=') : `${key}=${value}`;
  });
  if (asked.length > 0 && !levels.change(asked.join(','))) {
    return text(400, 'error: invalid logger level; use off, error, warn, info, debug or trace\n');
  }
  const lines = levels.current.split(',').map((part) => {
    const [level, scope = 'all'] = part.split('=').toReversed();
    return `  ${scope}: ${level}\n`;
  });
  return text(200, `active loggers:\n${lines.join('')}`);
}

function helpText(): string {
  const lines = Object.entries(PAGES).map(([path, about]) => `  ${path}: ${about}\n`);
  return `admin commands are:\n${lines.join('')}`;
}

function isJson({ searchParams }: URL): boolean {
  return searchParams.get('format') === 'json';
}

function mustPost(): HttpAnswer {
  return text(405, 'this changes the process: use POST\n');
}

function text(status: number, body: string): HttpAnswer {
  return { status, contentType: 'text/plain; charset=UTF-8', body };
}

function json(value: JsonValue): HttpAnswer {
  const body = `${JSON.stringify(value, null, 1)}\n`;
  return { status: 200, contentType: 'application/json', body };
}
