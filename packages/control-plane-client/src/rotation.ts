/** When to renew: half way through its life (spec ztunnel 6.3); at once if the times make no sense. */
export function refreshAtMs(certificate: {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}): number {
  const { notBeforeMs, notAfterMs } = certificate;
  if (notAfterMs < notBeforeMs) return notAfterMs;
  return notBeforeMs + (notAfterMs - notBeforeMs) / 2;
}
