import { keepCompiledCode } from '@aquifer/runtime';
import { shopServer } from './shop-service.ts';

/**
 * A service of the sample shop: `NAME`, `VERSION`, and `ASKS`, the names of the services that it asks, by commas. HTTP on
 * `PORT` (8080).
 */
const { env } = process;
const names = (env.ASKS ?? '').split(',').filter((name) => name !== '');
const server = shopServer({
  name: env.NAME ?? 'shop',
  version: env.VERSION ?? 'v1',
  pod: env.HOSTNAME ?? '',
  asks: Object.fromEntries(names.map((name) => [name, `http://${name}/`])),
});
server.listen(Number(env.PORT ?? 8080));
keepCompiledCode();

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}
