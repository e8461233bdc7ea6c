import { expect, test } from 'vitest';
import { Graph } from './graph.ts';
import { trace } from './trace.ts';

interface Pod {
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly note?: string;
}

/** Services select pods by a label; what a service offers is joined from its pods, and a setting. */
function mesh() {
  const graph = new Graph((collection, key, error) => {
    throw new Error(`${collection} ${key}`, { cause: error });
  });
  const pods = graph.input<Pod>('Pod');
  const services = graph.input<{ readonly selector: string }>('Service');
  const settings = graph.input<{ readonly suffix: string; readonly other: string }>('Settings');
  const byApp = graph.index('pods by app', pods, ({ labels }) => [labels.app ?? '']);
  const named = graph.map('named', services, ({ selector }, context, key) => ({
    name: `${key}.${context.get(settings, '')?.suffix}`,
    selector,
  }));
  const offers = graph.map('offers', named, ({ name, selector }, context) => ({
    name,
    ports: context.lookup(byApp, selector).map(({ ports }) => ports[0]?.port),
  }));
  const all = graph.union('all offers', offers);
  pods.set('a', { labels: { app: 'web', 'x.io/y': '1' }, ports: [{ name: 'http', port: 80 }] });
  pods.set('b', { labels: { app: 'db' }, ports: [] });
  services.set('web', { selector: 'web' });
  settings.set('', { suffix: 'local', other: 'unread' });
  graph.settle();
  return { graph, all, pods };
}

test('what a value was derived from is told to the field, through whatever lies between', () => {
  const { all } = mesh();
  expect(trace(all, 'web')).toEqual([
    { input: 'Service', key: 'web', paths: ['selector'] },
    { input: 'Settings', key: '', paths: ['suffix'] },
    { input: 'Pod', key: 'a', paths: ['ports[0].port'] },
  ]);
});

test('tracing changes nothing, and of what is not there nothing is told', () => {
  const { graph, all } = mesh();
  const before = all.get('web');
  trace(all, 'web');
  graph.settle();
  expect(all.get('web')).toBe(before);
  expect(all.changes.size).toBe(0);
  expect(trace(all, 'missing')).toEqual([]);
});
