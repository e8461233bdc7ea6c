import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ClusterManager } from '../clusters/cluster-manager.ts';
import type { TcpChain } from '../compile/chain.ts';
import type { CompiledListener } from '../compile/listener.ts';
import { Dialer } from '../upstream/dialer.ts';
import { CHANGE_SPREADS_MS, ServedConfig } from './snapshot.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function anEmptyConfig(): ServedConfig {
  const dialer = new Dialer({ secureContext: () => null, trustedPrefixes: () => [], baggage: '' });
  return new ServedConfig(new ClusterManager(dialer));
}

/** A listener that knows one service, by its address. */
function listenerOf(ip: string, name = ip): CompiledListener {
  const chain: TcpChain = {
    kind: 'tcp',
    name,
    authorization: [],
    targets: [],
    idleTimeoutMs: 0,
    maxDurationMs: 0,
    hashes: 'nothing',
    accessLog: null,
    metrics: null,
  };
  return {
    name: 'main_internal',
    address: null,
    tls: null,
    chains: new Map([[name, chain]]),
    compiled: new Map(),
    choose: (asked) => (asked === ip ? { http: chain, tcp: chain } : null),
  };
}

test('a service that was removed is served for a moment longer', () => {
  const config = anEmptyConfig();
  config.setListener(listenerOf('10.96.0.1'));
  config.setListener(listenerOf('10.96.0.2'));
  vi.advanceTimersByTime(CHANGE_SPREADS_MS / 2);
  config.setListener(listenerOf('10.96.0.3'));
  expect(config.choose('10.96.0.1', 80)?.tcp?.name).toBe('10.96.0.1');
  vi.advanceTimersByTime(CHANGE_SPREADS_MS / 2);
  expect(config.choose('10.96.0.1', 80)).toBeNull();
  expect(config.choose('10.96.0.2', 80)?.tcp?.name).toBe('10.96.0.2');
  vi.advanceTimersByTime(CHANGE_SPREADS_MS / 2);
  expect(config.choose('10.96.0.2', 80)).toBeNull();
  expect(config.choose('10.96.0.3', 80)?.tcp?.name).toBe('10.96.0.3');
});

test('who asks for a service a moment before it is known is answered when it is', async () => {
  const config = anEmptyConfig();
  config.setListener(listenerOf('10.96.0.1'));
  const early = config.chooseSoon('10.96.0.2', 80);
  const inVain = config.chooseSoon('10.96.0.9', 80);
  vi.advanceTimersByTime(CHANGE_SPREADS_MS / 2);
  config.setListener(listenerOf('10.96.0.2'));
  expect((await early)?.tcp?.name).toBe('10.96.0.2');
  vi.advanceTimersByTime(CHANGE_SPREADS_MS / 2);
  expect(await inVain).toBeNull();
});

test('a service that was made anew at another address goes by what it is now at its old one, too', () => {
  const config = anEmptyConfig();
  const [before, now] = [listenerOf('10.96.0.1', 'cart'), listenerOf('10.96.0.2', 'cart')];
  config.setListener(before);
  const accepted = before.choose('10.96.0.1', 80)!;
  config.setListener(now);
  const chain = now.chains.get('cart');
  expect(config.choose('10.96.0.1', 80)?.tcp).toBe(chain);
  const destination = { ip: '10.96.0.1', port: 80 };
  expect(config.chosenSince('main_internal', destination, accepted).tcp).toBe(chain);
});
