import { onTestFinished } from 'vitest';
import { type EchoOrigin, startOrigin } from '../../fixtures/echo-origin.ts';
import { type Answer, type Asked, ask, askHttp2, askRaw } from '../../fixtures/http-asking.ts';
import { accessLog, type ClusterSpec } from '../../fixtures/static-proxy.ts';
import { Engine } from '../../fixtures/waypoint-engine.ts';

interface Served {
  readonly routes: readonly object[];
  /** Default: `origin`, which is an origin of HTTP/1.1. */
  readonly clusters?: Readonly<Record<string, ClusterSpec>>;
  /** Default: all. */
  readonly domains?: readonly string[];
  /** Adds to the HttpConnectionManager. */
  readonly manager?: object;
}

/** A waypoint's engine with the Envoy configuration that some resource becomes, and an origin behind it. */
export interface ServedEngine {
  readonly engine: Engine;
  readonly origin: EchoOrigin;
  ask(path: string, asked?: Asked): Promise<Answer>;
  askHttp2(path: string, asked?: Asked): Promise<Answer>;
  askRaw(bytes: string): Promise<string>;
}

const ACCESS_LOG = accessLog('%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n');

/** Access lines say status, flags and details. Ended with the test. */
export async function serveEngine(served: Served): Promise<ServedEngine> {
  const { routes, clusters = {}, domains = ['*'], manager = {} } = served;
  const origin = await startOrigin('origin');
  const engine = new Engine();
  onTestFinished(() => engine.close());
  await engine.listen();
  engine.configure(
    { origin: origin.port, ...clusters },
    { routes, domains, manager: { access_log: [ACCESS_LOG], ...manager } },
  );
  return {
    engine,
    origin,
    ask: (path, asked) => ask(engine.port, path, asked),
    askHttp2: (path, asked) => askHttp2(engine.port, path, asked),
    askRaw: (bytes) => askRaw(engine.port, bytes),
  };
}

/** A route to `origin` of everything. */
export function toOrigin(fields: object = {}, match: object = { prefix: '/' }): object {
  return { match, route: { cluster: 'origin', timeout: '0s', ...fields } };
}

const FILTERS = 'type.googleapis.com/envoy.extensions.filters.http';

/** Filters of a manager whose routes may say what they do; the router is the last. */
export const ROUTED_FILTERS: readonly object[] = (
  [
    ['fault', 'fault.v3.HTTPFault', {}],
    ['cors', 'cors.v3.Cors', {}],
    ['local_ratelimit', 'local_ratelimit.v3.LocalRateLimit', { stat_prefix: 'limit' }],
    ['router', 'router.v3.Router', {}],
  ] as const
).map(([name, type, fields]) => ({
  name: `envoy.filters.http.${name}`,
  typed_config: { '@type': `${FILTERS}.${type}`, ...fields },
}));

/** Of a route, for one of those filters. */
export function filterConfig(name: string, type: string, fields: object): object {
  const config = { '@type': `${FILTERS}.${type}`, ...fields };
  return { typed_per_filter_config: { [`envoy.filters.http.${name}`]: config } };
}
