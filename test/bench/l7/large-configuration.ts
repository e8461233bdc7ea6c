import { type LoadContext, measureRequests } from '../load.ts';
import { alternate, CONNECTIONS, type L7Bench, type Quantities } from './bench.ts';
import { allowing, l7Bootstrap, type Policies } from './bootstrap.ts';
import { contender, HTTP1, onlyGet, staticProxies, urlOf } from './proxies.ts';

const ROUTES = [...Array.from({ length: 999 }, (_, index) => prefixOf(index)), '/'];
const PATH = `${prefixOf(900)}/item`;

/** None is the beginning of another. */
function prefixOf(index: number): string {
  return `/api${String(index).padStart(3, '0')}`;
}

/** The one that allows is the last of 100, also by name. */
function policies(): Policies {
  const isGet = { header: { name: ':method', string_match: { exact: 'GET' } } };
  const others = Array.from({ length: 99 }, (_, index) => {
    const isPath = { url_path: { path: { prefix: `/admin${index}` } } };
    const permissions = [{ and_rules: { rules: [isPath, isGet] } }];
    return [`admin-${index}`, { permissions, principals: [{ any: true }] }] as const;
  });
  return { ...Object.fromEntries(others), ...allowing('GET') };
}

/** A request that route 900 of 1,000 takes and the last of 100 policies allows. */
export const LARGE_CONFIGURATION: L7Bench = {
  name: 'large-configuration',
  run: (run) => {
    const listener = { name: 'origin', ...HTTP1, routes: ROUTES, policies: policies() };
    const contenders = staticProxies(l7Bootstrap([listener])).map((kind) =>
      contender(kind, onlyGet(HTTP1, PATH)),
    );
    return alternate(run, contenders, () => load);
  },
};

async function load(context: LoadContext, durationSeconds: number): Promise<Quantities> {
  const requests = { url: urlOf(HTTP1.port, PATH), connections: CONNECTIONS, durationSeconds };
  const { amount, cpu } = await measureRequests(context, requests);
  return { 'large configuration cpu': (cpu[0]! / amount) * 1e6 };
}
