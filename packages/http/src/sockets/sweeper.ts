const PERIOD_MS = 1000;

/** Asked once a second whether something has lasted too long. */
export interface Swept {
  sweep(nowMs: number): void;
}

const members = new Set<Swept>();
let timer: NodeJS.Timeout | null = null;

/** One timer a thread, however many connections and exchanges have limits of time; exact to a second. */
export function startSweeping(member: Swept): void {
  members.add(member);
  timer ??= setInterval(sweepAll, PERIOD_MS).unref();
}

export function stopSweeping(member: Swept): void {
  members.delete(member);
  if (members.size > 0 || timer === null) return;
  clearInterval(timer);
  timer = null;
}

function sweepAll(): void {
  const nowMs = performance.now();
  for (const member of members) member.sweep(nowMs);
}
