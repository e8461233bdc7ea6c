import { lookup, resolve4, resolve6 } from 'node:dns/promises';
import type { DnsAnswer, DnsSettings } from './dns-hosts.ts';

/**
 * Asks DNS, which says how long its answer lives; what only the system knows (`/etc/hosts`, search domains), the system is
 * asked for. Rejects if neither knows the name.
 */
export async function resolveName(name: string, family: DnsSettings['family']): Promise<DnsAnswer> {
  const records = await askDns(name, family);
  if (records.length > 0) {
    const livesS = Math.min(...records.map(({ ttl }) => ttl));
    return { addresses: records.map(({ address }) => address), timeToLiveMs: livesS * 1000 };
  }
  const found = await lookup(name, { all: true, family: family === 'any' ? 0 : family });
  return { addresses: found.map(({ address }) => address), timeToLiveMs: null };
}

interface AddressRecord {
  readonly address: string;
  /** Seconds. */
  readonly ttl: number;
}

async function askDns(name: string, family: DnsSettings['family']): Promise<AddressRecord[]> {
  const questions = [
    ...(family === 6 ? [] : [resolve4(name, { ttl: true })]),
    ...(family === 4 ? [] : [resolve6(name, { ttl: true })]),
  ];
  const answers = await Promise.allSettled(questions);
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
}
