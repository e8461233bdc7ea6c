import { setTimeout as delay } from 'node:timers/promises';
import { formatLoad } from '../story/load-record.ts';
import { MeshSandbox } from '../story/mesh-sandbox.ts';
import { HEAVY, RolloutLoad, type RolloutName } from '../story/rollouts.ts';
import { Samples } from './samples.ts';

/** Without any roll-out, for comparison. */
const QUIET_MS = 15_000;
/** Long connections that end with the process that carries them have said so by then. */
const LAST_ENDS_MS = 1_000;
const TURNS: readonly ('nothing' | RolloutName)[] = [
  'nothing',
  'waypoint',
  'ztunnel',
  'control plane',
  'application',
];

/**
 * What becomes of an open-loop load while one part after the other is replaced, each until its old pods are gone: how many
 * requests fail, and a table of everything.
 */
export async function benchRollouts(
  signal: AbortSignal,
  onProgress: (text: string) => void,
): Promise<{ readonly samples: Samples; readonly table: string }> {
  const samples = new Samples();
  onProgress('a sandbox with the mesh, a waypoint and a load');
  const sandbox = await MeshSandbox.up(process.env);
  try {
    const load = await RolloutLoad.begin(sandbox, HEAVY);
    const times: { turn: (typeof TURNS)[number]; fromMs: number; toMs: number }[] = [];
    for (const turn of TURNS) {
      signal.throwIfAborted();
      onProgress(`roll-out: ${turn}`);
      const fromMs = Date.now();
      if (turn === 'nothing') await delay(QUIET_MS, undefined, { signal });
      else {
        await load.restart(turn);
        await load.untilReplaced(turn);
        await delay(LAST_ENDS_MS);
      }
      times.push({ turn, fromMs, toMs: Date.now() });
    }
    const record = await load.record();
    const tables = times.map(({ turn, fromMs, toMs }) => {
      const summaries = record.between(fromMs, toMs);
      const failed = summaries.reduce((sum, { failures }) => sum + failures.length, 0);
      const seconds = Math.floor(toMs / 1000) - Math.floor(fromMs / 1000);
      samples.add(`${turn} failed`, failed);
      samples.add(`${turn} rate`, summaries.reduce((sum, { ok }) => sum + ok, 0) / seconds);
      return `${turn}, ${seconds} s\n${formatLoad(summaries, seconds)}\n`;
    });
    return { samples, table: tables.join('\n') };
  } finally {
    await sandbox.down();
  }
}
