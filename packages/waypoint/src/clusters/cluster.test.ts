import { describe, expect, test } from 'vitest';
import { ConnectionPool } from '../upstream/connection-pool.ts';
import { Cluster } from './cluster.ts';
import { Host } from './host.ts';

function hosts(count: number): Host[] {
  return Array.from({ length: count }, (_, i) => {
    const pool = new ConnectionPool(() => Promise.reject(new Error('not dialled here')));
    return new Host({ kind: 'plain', ip: `10.0.0.${i + 1}`, port: 80 }, pool);
  });
}

function clusterOf(members: readonly Host[], balancer: Cluster['balancer'] = 'random'): Cluster {
  const cluster = new Cluster('c');
  cluster.balancer = balancer;
  cluster.setHosts(members);
  return cluster;
}

describe('a cluster', () => {
  test('without hosts has none to offer', () => {
    expect(clusterOf([]).pick([], 5)).toBeNull();
  });

  test('avoids hosts that were tried, and takes one again when there is no other', () => {
    const [one, two] = hosts(2) as [Host, Host];
    const cluster = clusterOf([one, two], 'round-robin');
    for (let i = 0; i < 10; i++) expect(cluster.pick([one], 5)).toBe(two);
    expect(clusterOf([one]).pick([one], 5)).toBe(one);
  });

  test('gives turns in round robin', () => {
    const members = hosts(3);
    const cluster = clusterOf(members, 'round-robin');
    const turns = Array.from({ length: 6 }, () => cluster.pick([], 0));
    for (const host of members) expect(turns.filter((turn) => turn === host)).toHaveLength(2);
  });

  test('prefers the host with fewer requests under way', () => {
    const [busy, idle] = hosts(2) as [Host, Host];
    busy.active = 100;
    const cluster = clusterOf([busy, idle], 'least-request');
    const picks = Array.from({ length: 400 }, () => cluster.pick([], 0));
    expect(picks.filter((pick) => pick === idle).length).toBeGreaterThan(250);
  });
});
