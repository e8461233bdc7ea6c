/** What ends soon: told to people in time, and to Prometheus always. */
import { Gauge, type Registry } from 'prom-client';
import type { Expiry } from './authority.ts';

const DAY_MS = 86_400_000;

/** When it is time to renew: Istio's grace period for roots, 20 % of a life. */
export function isInLastFifth({ from, to }: Expiry, now: Date): boolean {
  return to.getTime() - now.getTime() < (to.getTime() - from.getTime()) / 5;
}

/** A sentence for each certificate of the authority that is near its end. */
export function expiryNotices(
  authority: { readonly expiries: readonly Expiry[] },
  origin: string,
  now: Date,
): readonly string[] {
  return authority.expiries
    .filter((expiry) => isInLastFifth(expiry, now))
    .map(({ part, to }) => {
      const days = Math.floor((to.getTime() - now.getTime()) / DAY_MS);
      const left = days < 0 ? 'ended' : days < 1 ? 'less than a day left' : `${days} days left`;
      return `${origin}: ${part} ends on ${to.toISOString()} (${left}); replace it before that`;
    });
}

/** Istio's names; of several certificates the one that ends first. Unix time, and time left, in seconds. */
export function createExpiryMetrics(registry: Registry, expiries: () => readonly Expiry[]): void {
  const registers = [registry];
  const earliest = (part: 'root' | 'chain'): number => {
    const ends = expiries().filter(
      (expiry) => (expiry.part === 'root-cert.pem') === (part === 'root'),
    );
    return Math.min(...ends.map(({ to }) => to.getTime())) / 1000;
  };
  for (const [name, part] of [
    ['citadel_server_root_cert_expiry', 'root'],
    ['citadel_server_cert_chain_expiry', 'chain'],
  ] as const) {
    const what = part === 'root' ? 'a trusted root' : 'the signing certificate, or one above it,';
    new Gauge({
      name: `${name}_timestamp`,
      help: `When ${what} ends, in Unix time.`,
      registers,
      collect() {
        this.set(earliest(part));
      },
    });
    new Gauge({
      name: `${name}_seconds`,
      help: `Seconds until ${what} ends.`,
      registers,
      collect() {
        this.set(earliest(part) - Date.now() / 1000);
      },
    });
  }
}
