import { join } from 'node:path';
import type { LoadContext } from '../load.ts';
import type { OpenLoopResult } from './open-loop-client.ts';

export interface OpenLoop {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly perSecond: number;
  readonly seconds: number;
  readonly connections: number;
}

/** Requests that start at a fixed rate, whatever becomes of those before. */
export async function measureOpenLoop(
  { machine, namespace }: LoadContext,
  { host, port, path, perSecond, seconds, connections }: OpenLoop,
): Promise<OpenLoopResult> {
  const script = join(import.meta.dirname, 'open-loop-client.ts');
  const args = [host, port, path, perSecond, seconds, connections].map(String);
  const output = await machine.run([process.execPath, script, ...args], namespace);
  return JSON.parse(output) as OpenLoopResult;
}
