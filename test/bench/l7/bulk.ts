import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { writeConfig } from '../l4-pair.ts';
import { type LoadContext, measure } from '../load.ts';
import { alternate, type L7Bench, type Quantities } from './bench.ts';
import { allowing, l7Bootstrap, ROUTED } from './bootstrap.ts';
import { contender, HTTP1, type Surroundings, staticProxies, urlOf } from './proxies.ts';

/** Each load is one body of so many bytes for each second that it is to last. */
const BYTES_PER_SECOND = 256 << 20;
const PATH = `${ROUTED}/body`;

const SURROUNDINGS: Surroundings = {
  startOrigins: async ({ machine, namespaces: { server: namespace } }) => {
    const script = join(import.meta.dirname, 'bulk-origin.ts');
    machine.start([process.execPath, script, String(HTTP1.originPort)], { namespace });
  },
  check: ({ machine, namespaces }) =>
    machine.untilAnswered(namespaces.client, urlOf(HTTP1.port, `${PATH}/1`)),
};

/** One large body down, then one up, over HTTP/1.1. */
export const BULK: L7Bench = {
  name: 'bulk',
  run: (run) => {
    const policies = { ...allowing('GET'), ...allowing('PUT') };
    const contenders = staticProxies(l7Bootstrap([{ name: 'origin', ...HTTP1, policies }])).map(
      (kind) => contender(kind, SURROUNDINGS),
    );
    return alternate(run, contenders, () => load);
  },
};

async function load(context: LoadContext, durationSeconds: number): Promise<Quantities> {
  const bytes = BYTES_PER_SECOND * durationSeconds;
  const body = writeConfig(context.machine, 'body', '');
  truncateSync(body, bytes);
  const down = await transfer(context, bytes, [urlOf(HTTP1.port, `${PATH}/${bytes}`)]);
  // curl would wait for a 100 for a second before it sends a large body.
  const put = ['-H', 'Expect:', '-T', body, urlOf(HTTP1.port, PATH)];
  const up = await transfer(context, bytes, put);
  return {
    ...{ down: down.speed, 'down cpu': down.cpu },
    ...{ up: up.speed, 'up cpu': up.cpu },
  };
}

/** MB/s, and processor seconds per GB. */
async function transfer(
  context: LoadContext,
  bytes: number,
  args: readonly string[],
): Promise<{ readonly speed: number; readonly cpu: number }> {
  const { amount, seconds, cpu } = await measure(context, async () => {
    const command = ['curl', '-sf', '-o', '/dev/null', '-w', '%{size_download} %{size_upload}'];
    const sizes = await context.machine.run([...command, ...args], context.namespace);
    const carried = Math.max(...sizes.split(' ').map(Number));
    if (carried !== bytes) throw new Error(`${carried} bytes arrived instead of ${bytes}`);
    return bytes;
  });
  return { speed: amount / seconds / 1e6, cpu: (cpu[0]! / amount) * 1e9 };
}
