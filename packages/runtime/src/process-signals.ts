/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
export function terminationSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let seen = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (seen) process.exit(0);
        seen = true;
        resolve(signal);
      });
    }
  });
}
