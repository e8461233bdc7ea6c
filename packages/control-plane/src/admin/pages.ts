/** What the admin ports show besides `/debug`. */
import type { Registry } from 'prom-client';
import type { Publisher } from '../push/publisher.ts';
import { type AdminHandler, plain } from './admin-server.ts';

interface ReadinessDeps {
  readonly publisher: Publisher;
  /** What somebody should attend to, in sentences. */
  readonly notices: () => readonly string[];
}

/** `/ready` answers 200 once a complete snapshot is served; what somebody should attend to follows, line by line. */
export function readinessPage({ publisher, notices }: ReadinessDeps): AdminHandler {
  return async ({ path }) => {
    if (path !== '/ready') return null;
    if (publisher.current === null) return plain(503, 'not ready');
    return plain(200, ['ready', ...notices()].join('\n'));
  };
}

/** `/metrics` and `/version`. */
export function monitoringPages(registry: Registry, version: string): AdminHandler {
  return async ({ path }) => {
    if (path === '/version') return plain(200, version);
    if (path !== '/metrics') return null;
    return { status: 200, contentType: registry.contentType, body: await registry.metrics() };
  };
}
