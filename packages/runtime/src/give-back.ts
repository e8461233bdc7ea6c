import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const LOOK_EVERY_MS = 2_000;
/** A thread that was busy for less of the time has no traffic that a pause of some ten milliseconds would hurt. */
const IDLE_UTILIZATION = 0.02;
/**
 * A collection of this kind drops compiled code as well: the next load would pay up to twice the CPU for its first
 * seconds. So it waits for a load that is over, not for a gap in one.
 */
const IDLE_FOR_MS = 24_000;
/** What is worth it. */
const WORTH_BYTES = 1024 * 1024;

type Collect = (options: {
  readonly type: 'major';
  readonly execution: 'sync';
  readonly flavor: 'last-resort';
}) => void;

/**
 * Gives memory back that a start or a load has left in this thread's heap: V8 collects when it runs out of room, so an
 * idle thread would keep its garbage for ever. `onGivenBack` is called after each collection.
 */
export function giveBackWhenIdle(
  onGivenBack: () => void = () => undefined,
  idleForMs: number = IDLE_FOR_MS,
): void {
  const collect = exposeCollector();
  let before = performance.eventLoopUtilization();
  let leftBytes = 0;
  let idleSinceMs = performance.now();
  const look = (): void => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    if (utilization > IDLE_UTILIZATION) idleSinceMs = performance.now();
    if (performance.now() - idleSinceMs < idleForMs) return;
    if (heldBytes() < leftBytes + WORTH_BYTES) return;
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    leftBytes = heldBytes();
    idleSinceMs = performance.now();
    onGivenBack();
  };
  setInterval(look, LOOK_EVERY_MS).unref();
}

/**
 * The only way to V8's collector without an option on the command line. The flag is the whole process's and stays: two
 * threads that start at once must not take it from each other.
 */
function exposeCollector(): Collect {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as Collect;
}

function heldBytes(): number {
  const { total_physical_size: heap, external_memory: external } = getHeapStatistics();
  return heap + external;
}
