import type { Authorization } from '@aquifer/model';
import { createLogger, type LogLevel } from '@aquifer/runtime';
import { expect, test } from 'vitest';
import { OpenConnections } from '../connections/open-connections.ts';
import { DecisionLog } from './decision-log.ts';
import { OwnPod } from './own-pod.ts';
import { PolicyTable } from './policy-table.ts';

const ADDRESS = { ip: '10.0.0.1', port: 1 };
const MATCHING = [[]];
const NEVER: Authorization['groups'] = [];

function policy(name: string, rest: Partial<Authorization>): Authorization {
  const scope = 'namespace' as const;
  return {
    name,
    namespace: 'ns1',
    scope,
    action: 'deny',
    groups: MATCHING,
    dryRun: false,
    ...rest,
  };
}

/** Whether a connection is admitted under the policies, and what is logged about them. */
function admit(
  policies: readonly Authorization[],
  options: { readonly level?: 'debug' | 'info'; readonly logged?: LogLevel } = {},
): { readonly allowed: boolean; readonly lines: readonly string[] } {
  const { level = 'info', logged = 'info' } = options;
  const lines: string[] = [];
  const log = createLogger('rbac', {
    ...{ format: 'plain', levels: logged },
    write: (line) => lines.push(line),
  });
  const table = new PolicyTable();
  table.add(policies.map((each, id) => ({ id, policy: each })));
  const own = new OwnPod({ namespace: 'ns1', name: 'web', serviceAccount: 'web' });
  own.update(null, table.combine(policies.map((_, id) => id)));
  const { verdict } = new OpenConnections(own, new DecisionLog(log, level)).admit({
    peer: {
      sourceIdentity: { trustDomain: 'td', namespace: 'ns1', serviceAccount: 'a' },
      ...{ sourceIp: '10.0.0.1', destinationIp: '10.0.0.2', destinationPort: 80 },
    },
    addresses: { src: ADDRESS, originalDst: null, actualDst: ADDRESS, protocol: 'HBONE' },
    terminate: () => undefined,
  });
  return { allowed: verdict.allowed, lines };
}

/** The message of a line, and the policy that it names. */
function said(line: string): string {
  const [, , , message, fields = ''] = line.split('\t');
  return [message, /policy="([^"]*)"/.exec(fields)?.[1]].filter(Boolean).join(' ');
}

const REAL_ALLOW = policy('allow', { action: 'allow' });
const REAL_DENY = policy('deny', {});
const DRY_DENY = policy('dry-deny', { dryRun: true });
const DRY_ALLOW = policy('dry-allow', { action: 'allow', dryRun: true });
const NO_DRY_ALLOW = policy('dry-other', { action: 'allow', dryRun: true, groups: NEVER });

test.for([
  { policies: [], allowed: true, lines: ['no allow policies, allow'] },
  { policies: [REAL_ALLOW], allowed: true, lines: ['allow policy match ns1/allow'] },
  { policies: [REAL_ALLOW, REAL_DENY], allowed: false, lines: ['deny policy match ns1/deny'] },
  {
    policies: [policy('other', { action: 'allow', groups: NEVER })],
    allowed: false,
    lines: ['no allow policies matched'],
  },
  {
    policies: [REAL_ALLOW, DRY_DENY, DRY_ALLOW],
    allowed: true,
    lines: [
      'dry-run: deny policy match ns1/dry-deny',
      'dry-run: allow policy match ns1/dry-allow',
      'allow policy match ns1/allow',
    ],
  },
  {
    policies: [NO_DRY_ALLOW],
    allowed: true,
    lines: ['dry-run: no allow policies match', 'no allow policies, allow'],
  },
])(
  'dry-run policies decide nothing and are logged: $lines (C101)',
  ({ policies, allowed, lines }) => {
    const seen = admit(policies);
    expect(seen.allowed).toBe(allowed);
    expect(seen.lines.map(said)).toEqual(lines);
  },
);

test('a line says whom it is about', () => {
  expect(admit([REAL_DENY]).lines[0]).toContain(
    '\tpolicy="ns1/deny" src.addr=10.0.0.1 src.identity="spiffe://td/ns/ns1/sa/a" dst.addr=10.0.0.2:80',
  );
});

test('decisions are lines of their level only', () => {
  expect(admit([DRY_DENY], { level: 'debug' }).lines).toEqual([]);
  expect(admit([DRY_DENY], { level: 'debug', logged: 'debug' }).lines).toHaveLength(2);
});
