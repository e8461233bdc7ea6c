const PERIOD_MS = 1000;

/** Asked once a second whether something has lasted too long. */
export interface Swept {
  sweep(nowMs: number): void;
}

/** Stands for a member: V8 keeps old tables of a `Set` alive for a while, and with them these cells, not the members. */
export interface SweepCell {
  member: Swept | null;
}

const cells = new Set<SweepCell>();
let timer: NodeJS.Timeout | null = null;

/** One timer a thread, however many connections and exchanges have limits of time; exact to a second. */
export function startSweeping(member: Swept): SweepCell {
  const cell = { member };
  cells.add(cell);
  timer ??= setInterval(sweepAll, PERIOD_MS).unref();
  return cell;
}

export function stopSweeping(cell: SweepCell): void {
  cell.member = null;
  cells.delete(cell);
  if (cells.size > 0 || timer === null) return;
  clearInterval(timer);
  timer = null;
}

function sweepAll(): void {
  const nowMs = performance.now();
  for (const { member } of cells) member?.sweep(nowMs);
}
