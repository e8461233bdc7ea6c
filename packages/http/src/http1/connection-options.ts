// hot path: every request head
import { joinHeader } from '../headers.ts';
import { badRequest, type HttpProblem } from '../problem.ts';
import type { RawRequestHead } from './parse.ts';

/** As Envoy. */
const MAX_OPTIONS = 9;
/** What says who asked: a client may not have it taken away on its way. */
const KEPT = new Set(['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto']);

/** A `connection` that names what is no field of one hop, or very many, is refused. */
export function checkConnection({ headers }: RawRequestHead): HttpProblem | null {
  const connection = joinHeader(headers, 'connection');
  if (connection === null || connection === 'keep-alive' || connection === 'close') return null;
  const options = connection.toLowerCase().split(',');
  const isRefused = options.some((option) => {
    const name = option.trim();
    return name.startsWith(':') || KEPT.has(name);
  });
  if (!isRefused && options.length <= MAX_OPTIONS) return null;
  return badRequest('Connection names what it may not', 'http1.connection_header_rejected');
}
