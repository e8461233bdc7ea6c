import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { compileAssignment } from '../compile/assignment.ts';
import { ConnectionPool } from '../upstream/connection-pool.ts';
import { Breakers } from './breakers.ts';
import { Cluster } from './cluster.ts';
import { type DnsAnswer, DnsHosts, type DnsSettings } from './dns-hosts.ts';
import { EndpointHosts } from './endpoint-hosts.ts';
import { Host, type HostAddress } from './host.ts';

const SETTINGS: DnsSettings = {
  uses: 'every-address',
  family: 4,
  refreshMs: 60_000,
  heeds: 'time-to-live',
};

// Files of one worker share the process: time that a file stops stands still for those after it.
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Hosts of the one endpoint `api.test:80`; each look-up takes the next answer, null being none. */
function resolved(settings: Partial<DnsSettings>, ...answers: (readonly string[] | null)[]) {
  const newHost = (address: HostAddress): Host =>
    new Host(
      address,
      new ConnectionPool({
        dial: () => Promise.reject(new Error('not dialled here')),
        breakers: new Breakers(),
        lifetimes: () => ({ maxRequests: 0, idleMs: 0, maxAgeMs: 0, maxStreams: 0 }),
      }),
    );
  const hosts = new EndpointHosts(new Cluster('c'), newHost);
  const asked: string[] = [];
  const resolve = async (name: string): Promise<DnsAnswer> => {
    asked.push(name);
    const addresses = answers.length > 1 ? answers.shift()! : answers[0]!;
    if (addresses === null) throw new Error('nobody answers');
    return { addresses, timeToLiveMs: 5000 };
  };
  const names = new DnsHosts(hosts, { ...SETTINGS, ...settings }, resolve);
  const address = {
    address: {
      case: 'socketAddress',
      value: { address: 'api.test', portSpecifier: { case: 'portValue', value: 80 } },
    },
  };
  names.setEndpoints(
    compileAssignment({
      endpoints: [
        {
          priority: 0,
          lbEndpoints: [
            { hostIdentifier: { case: 'endpoint', value: { address } }, healthStatus: 0 },
          ],
        },
      ],
    } as never),
  );
  const found = (): string[] => Array.from(hosts.all(), ({ name }) => name);
  return { names, hosts, asked, found };
}

test('every address of a name is a host, and those that leave the answer go', async () => {
  const { names, found } = resolved({}, ['10.0.0.1', '10.0.0.2'], ['10.0.0.2', '10.0.0.3']);
  await vi.advanceTimersByTimeAsync(0);
  expect(found()).toEqual(['10.0.0.1:80', '10.0.0.2:80']);
  await vi.advanceTimersByTimeAsync(5000);
  expect(found()).toEqual(['10.0.0.2:80', '10.0.0.3:80']);
  names.close();
});

test('of a name whose first address is the host, that stays while it is in the answer', async () => {
  const { names, found } = resolved(
    { uses: 'first-address' },
    ['10.0.0.1', '10.0.0.2'],
    ['10.0.0.2', '10.0.0.1'],
    ['10.0.0.2'],
  );
  await vi.advanceTimersByTimeAsync(0);
  expect(found()).toEqual(['10.0.0.1:80']);
  await vi.advanceTimersByTimeAsync(5000);
  expect(found()).toEqual(['10.0.0.1:80']);
  await vi.advanceTimersByTimeAsync(5000);
  expect(found()).toEqual(['10.0.0.2:80']);
  names.close();
});

test('a name that nobody answers for keeps its hosts, and is asked for again', async () => {
  const { names, found, asked } = resolved({}, ['10.0.0.1'], null, []);
  await vi.advanceTimersByTimeAsync(0);
  await vi.advanceTimersByTimeAsync(5000);
  expect(found()).toEqual(['10.0.0.1:80']);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveLength(3);
  expect(found()).toEqual(['10.0.0.1:80']);
  names.close();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(asked).toHaveLength(3);
});

test('how long an answer lives counts only where it is heeded', async () => {
  const { names, asked } = resolved({ heeds: 'refresh-rate' }, ['10.0.0.1']);
  await vi.advanceTimersByTimeAsync(59_000);
  expect(asked).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1000);
  expect(asked).toHaveLength(2);
  names.close();
});

test('of a name whose addresses are all one host, the first that was used stays first', async () => {
  const { hosts, names } = resolved(
    { uses: 'any-address', family: 'any' },
    ['10.0.0.1', '2001:db8::1'],
    ['2001:db8::1', '10.0.0.1'],
  );
  await vi.advanceTimersByTimeAsync(0);
  const [host] = hosts.all();
  expect(host?.address).toMatchObject({ ip: '10.0.0.1', alternatives: ['2001:db8::1'] });
  await vi.advanceTimersByTimeAsync(5000);
  expect([...hosts.all()]).toEqual([host]);
  names.close();
});
