const TICK_MS = 5;

/**
 * Starts requests at a fixed rate whatever becomes of them: one that should have started while the process was busy
 * starts late, and is told when it should have. Returns what ends it.
 */
export function openLoop(ratePerSecond: number, start: (intendedAtMs: number) => void): Disposable {
  if (ratePerSecond <= 0) return { [Symbol.dispose]: () => undefined };
  const beganAtMs = Date.now();
  let started = 0;
  const timer = setInterval(() => {
    const nowMs = Date.now();
    for (;;) {
      const intendedAtMs = beganAtMs + (started * 1000) / ratePerSecond;
      if (intendedAtMs > nowMs) return;
      started += 1;
      start(intendedAtMs);
    }
  }, TICK_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
