import { pipeline } from 'node:stream/promises';
import type { LogOptions, PodAccess } from '../cluster-client.ts';
import type { Exchange } from '../http/exchange.ts';
import type { ResourcePath } from '../http/request-info.ts';
import type { Storage } from '../storage/storage.ts';
import { podTarget } from './pod-target.ts';

function logOptions(query: URLSearchParams): LogOptions {
  const flag = (name: string): boolean => query.get(name) === 'true';
  const number = (name: string): Record<string, number> => {
    const value = query.get(name);
    return value === null ? {} : { [name]: Number(value) };
  };
  const since = query.get('sinceTime');
  return {
    follow: flag('follow'),
    timestamps: flag('timestamps'),
    previous: flag('previous'),
    ...number('tailLines'),
    ...(since === null ? {} : { sinceSeconds: (Date.now() - Date.parse(since)) / 1000 }),
    ...number('sinceSeconds'),
    ...number('limitBytes'),
  };
}

/** `GET pods/NAME/log`: plain text, as long as the container writes when `follow` is set. */
export async function handleLogs(
  exchange: Exchange,
  storage: Storage,
  podAccess: PodAccess,
  path: ResourcePath,
): Promise<void> {
  const { response, info } = exchange;
  const target = podTarget(storage, path, info.query);
  if (!target.scheduled) {
    response.writeHead(204).end();
    return;
  }
  const logs = await podAccess.logs(target.ref, logOptions(info.query));
  response.writeHead(200, { 'Content-Type': 'text/plain' });
  response.flushHeaders();
  response.on('close', () => logs.destroy());
  try {
    await pipeline(logs, response);
  } catch (cause) {
    // The reader left: that is how every `logs -f` ends.
    if (!response.destroyed) throw cause;
  }
}
