import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sandboxObstacle } from '../fixtures/sandbox.ts';
import { formatLoad, type LoadRecord } from '../story/load-record.ts';
import { MeshSandbox } from '../story/mesh-sandbox.ts';
import { LIGHT, ROLLOUTS, RolloutLoad, type RolloutName } from '../story/rollouts.ts';

/**
 * Every part is replaced under a load from two nodes, one soon after the other: old pods of one still drain while the next
 * is replaced. `npm run bench -- --only rollouts` has them one by one.
 */
const obstacle = sandboxObstacle();
const NAMES = Object.keys(ROLLOUTS) as RolloutName[];
const REQUESTS_PER_SECOND = 150;
/** Nothing that lasts is cut sooner by a part that is replaced than the part may drain. */
const WAYPOINT_DRAIN_MS = 20_000;
const ZTUNNEL_DRAIN_MS = 25_000;

describe.skipIf(obstacle !== null)(`roll-outs under load${obstacle ? `: ${obstacle}` : ''}`, () => {
  let sandbox: MeshSandbox;
  const beganAtMs = new Map<RolloutName, number>();
  let endedAtMs: number;
  let record: LoadRecord;

  beforeAll(async () => {
    sandbox = await MeshSandbox.up(process.env);
    const load = await RolloutLoad.begin(sandbox, LIGHT);
    for (const name of NAMES) {
      beganAtMs.set(name, Date.now());
      await load.restart(name);
    }
    for (const name of NAMES) await load.untilReplaced(name);
    endedAtMs = Date.now();
    record = await load.record();
    for (const [at, name] of NAMES.entries()) {
      const fromMs = beganAtMs.get(name)!;
      const toMs = beganAtMs.get(NAMES[at + 1]!) ?? endedAtMs;
      const table = formatLoad(record.between(fromMs, toMs), (toMs - fromMs) / 1000);
      console.log(`from the roll-out of the ${name} on\n${table}`);
    }
  }, 300_000);

  afterAll(async () => {
    await sandbox?.down();
  });

  function everything() {
    return record.between(beganAtMs.get(NAMES[0]!)!, endedAtMs);
  }

  test('no request fails and no message is lost, over new, kept and long connections', () => {
    const failures = everything().flatMap((summary) => summary.failures);
    expect(failures).toEqual([]);
    const seconds = (endedAtMs - beganAtMs.get(NAMES[0]!)!) / 1000 - 1;
    const ok = everything().reduce((sum, summary) => sum + summary.ok, 0);
    expect(ok / seconds).toBeGreaterThan(REQUESTS_PER_SECOND);
  });

  test('every stream of gRPC is told to move in time, whichever part on its way is replaced', () => {
    const { ends } = everything().find(({ kind }) => kind === 'grpc-stream')!;
    expect(ends.length).toBeGreaterThan(0);
    expect(ends.filter(({ how }) => how !== 'moved')).toEqual([]);
  });

  test('a WebSocket ends with a close frame of its server, or when the proxy that carries it has drained', () => {
    const { ends } = everything().find(({ kind }) => kind === 'websocket')!;
    const early = ends.filter(({ how, reason, atMs }) => {
      if (reason === 'going away') return false;
      const [part, drainMs] =
        how === 'cut'
          ? (['ztunnel', ZTUNNEL_DRAIN_MS] as const)
          : (['waypoint', WAYPOINT_DRAIN_MS] as const);
      return atMs - beganAtMs.get(part)! < drainMs;
    });
    expect(early).toEqual([]);
  });
});
