import { authorize } from '@aquifer/model';
import { describe, expect, test } from 'vitest';
import { podObject } from '../../fixtures/control-plane.ts';
import { type DerivedMesh, deriveMesh } from '../../fixtures/derived-mesh.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';

/** What becomes of policies for node proxies, what they decide there, and what their statuses say. */
const POD = podObject('shop', 'web', { labels: { app: 'web' } });
const WEB = { selector: { matchLabels: { app: 'web' } } };

interface Identity {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** Whether the pod lets a connection in by the policies that it lists; `null` is plain text. */
function isAllowed(mesh: DerivedMesh, identity: Identity | null, port = 80): boolean {
  const listed = mesh.pod('shop/web')?.authorizationPolicies ?? [];
  const policies = listed.map((key) => {
    const policy = mesh.policy(key);
    if (policy === null) throw new Error(`the pod lists ${key}, which is not sent`);
    return policy;
  });
  const [sourceIp, destinationIp] = ['10.0.0.7', '10.0.0.1'];
  const connection = { sourceIdentity: identity, sourceIp, destinationIp, destinationPort: port };
  return authorize(policies, connection).allowed;
}

const client = (serviceAccount: string): Identity => ({
  trustDomain: 'cluster.local',
  namespace: 'shop',
  serviceAccount,
});

describe('an AuthorizationPolicy', () => {
  function policy(spec: object, metadata: object = {}): ApiObject {
    return {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { namespace: 'shop', name: 'p', uid: 'p', ...metadata },
      spec: { ...WEB, ...spec },
    };
  }
  const derive = (spec: object) => deriveMesh([POD, policy(spec)]);
  const from = (source: object) => ({ from: [{ source }] });
  const principals = ['cluster.local/ns/shop/sa/bad'];

  test('of a Service is not sent to node proxies, and they say nothing of it (P078)', () => {
    const targetRefs = [{ group: '', kind: 'Service', name: 'cart' }];
    const mesh = deriveMesh([policy({ selector: undefined, targetRefs })]);
    expect([mesh.policy('shop/p'), mesh.policyCondition('shop/p')]).toEqual([null, null]);
  });

  test.for(['AUDIT', 'CUSTOM'])('that is to %s is not taken (P080)', (action) => {
    const mesh = derive({ action, rules: [{}] });
    expect(mesh.policy('shop/p')).toBeNull();
    expect(mesh.policyCondition('shop/p')).toMatchObject({
      status: 'False',
      reason: 'UnsupportedValue',
      message: `ztunnel does not support the ${action} action`,
    });
  });

  test('that allows by what only HTTP knows loses those rules, and says which (P081)', () => {
    const mesh = derive({
      action: 'ALLOW',
      rules: [
        {
          ...from({ requestPrincipals: ['*'] }),
          to: [{ operation: { methods: ['GET'] } }],
          when: [{ key: 'request.auth.presenter', values: ['x'] }],
        },
      ],
    });
    expect(mesh.policy('shop/p')?.groups).toEqual([]);
    expect(isAllowed(mesh, client('web'))).toBe(false);
    expect(mesh.policyCondition('shop/p')).toMatchObject({
      status: 'True',
      reason: 'UnsupportedValue',
      message: expect.stringMatching(
        /found: methods, request\.auth\.presenter, requestPrincipals\).*Within an ALLOW policy/,
      ),
    });
  });

  test('that denies identities is taken as it is (P082)', () => {
    const mesh = derive({ action: 'DENY', rules: [from({ principals })] });
    expect(mesh.policyCondition('shop/p')).toEqual({
      status: 'True',
      reason: 'Accepted',
      message: 'attached to ztunnel',
    });
    expect([isAllowed(mesh, client('bad')), isAllowed(mesh, client('good'))]).toEqual([
      false,
      true,
    ]);
  });

  test('that denies identities by what HTTP knows, too, denies them without it (P084)', () => {
    const source = from({ principals, notRequestPrincipals: ['*'] });
    const mesh = derive({ action: 'DENY', rules: [source] });
    expect(mesh.policyCondition('shop/p')?.message).toContain('enforced without the HTTP rules');
    expect([isAllowed(mesh, client('bad')), isAllowed(mesh, client('good'))]).toEqual([
      false,
      true,
    ]);
  });

  test.for([
    ['rules of HTTP and of identities', [{ to: [{ operation: { methods: ['GET'] } }] }]],
    ['a rule for everybody', [{}]],
  ])('with %s still denies (P085)', ([, rules]) => {
    const mesh = derive({ action: 'DENY', rules: [...(rules as object[]), from({ principals })] });
    expect(isAllowed(mesh, client('bad'))).toBe(false);
  });

  test('of ALLOW allows all, or groups of them; of DENY denies groups (P087)', () => {
    const all = derive({ action: 'ALLOW', rules: [{}] });
    const both = [
      { ...from({ namespaces: ['shop'] }), to: [{ operation: { ports: ['80'] } }] },
      from({ principals: ['cluster.local/ns/shop/sa/admin'] }),
    ];
    const allow = derive({ action: 'ALLOW', rules: both });
    const deny = derive({ action: 'DENY', rules: both });
    const decided = (mesh: DerivedMesh) => [
      isAllowed(mesh, client('web')),
      isAllowed(mesh, client('web'), 81),
      isAllowed(mesh, client('admin'), 81),
      isAllowed(mesh, { ...client('web'), namespace: 'far' }),
      isAllowed(mesh, null),
    ];
    expect(decided(all)).toEqual([true, true, true, true, true]);
    expect(decided(allow)).toEqual([true, false, true, false, false]);
    expect(decided(deny)).toEqual([false, true, false, true, true]);
  });

  test('that comes after its pod is listed by the pod (P096)', () => {
    const rules = [from({ principals })];
    expect(deriveMesh([POD]).pod('shop/web')?.authorizationPolicies).toEqual([]);
    const mesh = deriveMesh([POD, policy({ action: 'DENY', rules })]);
    expect(mesh.pod('shop/web')?.authorizationPolicies).toEqual(['shop/p']);
  });
});

describe('a PeerAuthentication', () => {
  function peer(namespace: string, name: string, spec: object): ApiObject {
    return {
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { namespace, name, uid: name, creationTimestamp: '2026-01-01T00:00:00Z' },
      spec,
    };
  }
  const mtls = (mode: string) => ({ mtls: { mode } });
  const mesh = (mode: string) => peer('istio-system', 'mesh', mtls(mode));
  const namespace = (mode: string) => peer('shop', 'namespace', mtls(mode));
  const workload = (mode: string, ports: Readonly<Record<string, string>> = {}) =>
    peer('shop', 'workload', {
      ...WEB,
      ...(mode !== 'UNSET' && mtls(mode)),
      portLevelMtls: Object.fromEntries(
        Object.entries(ports).map(([port, own]) => [port, { mode: own }]),
      ),
    });

  interface Case {
    readonly policies: readonly ApiObject[];
    /** Ports of 9090, 8080 and 80 that take plain text. */
    readonly plain: readonly number[];
  }

  test.for<[what: string, given: Case]>([
    [
      'with one port STRICT (P089)',
      { policies: [workload('PERMISSIVE', { 9090: 'STRICT' })], plain: [8080, 80] },
    ],
    [
      'STRICT but for one port (P090, L159)',
      { policies: [workload('STRICT', { 9090: 'PERMISSIVE' })], plain: [9090] },
    ],
    [
      'with ports of their own under a STRICT mesh (P091)',
      {
        policies: [mesh('STRICT'), workload('UNSET', { 9090: 'PERMISSIVE', 8080: 'STRICT' })],
        plain: [9090],
      },
    ],
    [
      'with a port of its own under a STRICT namespace of a PERMISSIVE mesh (P092)',
      {
        policies: [
          mesh('PERMISSIVE'),
          namespace('STRICT'),
          workload('UNSET', { 9090: 'PERMISSIVE' }),
        ],
        plain: [9090],
      },
    ],
    [
      'that says one port only (P093)',
      { policies: [workload('UNSET', { 8080: 'STRICT' })], plain: [9090, 80] },
    ],
    ['STRICT (P088)', { policies: [workload('STRICT')], plain: [] }],
    [
      'STRICT with a STRICT port (P088)',
      { policies: [workload('STRICT', { 8080: 'STRICT' })], plain: [] },
    ],
    [
      'PERMISSIVE under a STRICT mesh (P088)',
      { policies: [mesh('STRICT'), workload('PERMISSIVE')], plain: [9090, 8080, 80] },
    ],
    [
      'DISABLE under a STRICT mesh (P088)',
      { policies: [mesh('STRICT'), workload('DISABLE')], plain: [9090, 8080, 80] },
    ],
    ['STRICT for a namespace (P088)', { policies: [namespace('STRICT')], plain: [] }],
    ['STRICT for the mesh (P088)', { policies: [mesh('STRICT')], plain: [] }],
    [
      'PERMISSIVE for a namespace of a STRICT mesh (P088)',
      { policies: [mesh('STRICT'), namespace('PERMISSIVE')], plain: [9090, 8080, 80] },
    ],
    [
      'STRICT but for a port that DISABLEs it (P088)',
      { policies: [workload('STRICT', { 8080: 'DISABLE' })], plain: [8080] },
    ],
  ])('%s takes plain text where it says so, and mTLS everywhere', ([, { policies, plain }]) => {
    const derived = deriveMesh([POD, ...policies]);
    const ports = [9090, 8080, 80];
    expect(ports.filter((port) => isAllowed(derived, null, port))).toEqual(plain);
    expect(ports.filter((port) => isAllowed(derived, client('web'), port))).toEqual(ports);
  });

  test('that comes or goes, at any level, is obeyed by the pods below it (P094, P095)', () => {
    const takesPlain = (...policies: ApiObject[]) =>
      isAllowed(deriveMesh([POD, ...policies]), null, 8080);
    expect(takesPlain()).toBe(true);
    expect(takesPlain(mesh('STRICT'))).toBe(false);
    expect(takesPlain(mesh('STRICT'), namespace('PERMISSIVE'))).toBe(true);
    expect(takesPlain(mesh('STRICT'), namespace('PERMISSIVE'), workload('STRICT'))).toBe(false);
    expect(takesPlain(mesh('STRICT'), workload('PERMISSIVE'))).toBe(true);
    const port = workload('UNSET', { 8080: 'PERMISSIVE' });
    expect(takesPlain(namespace('STRICT'), port)).toBe(true);
    expect(takesPlain(namespace('PERMISSIVE'), port)).toBe(true);
    expect(takesPlain(namespace('STRICT'), workload('UNSET', { 9090: 'PERMISSIVE' }))).toBe(false);
  });

  test('for all becomes the one policy against plain text (P114), with ports one of its own (P115)', () => {
    expect(deriveMesh([namespace('STRICT')]).policies).toEqual([
      'istio-system/istio_converted_static_strict',
    ]);
    const ports = deriveMesh([POD, workload('PERMISSIVE', { 9080: 'STRICT' })]);
    expect(ports.policies).toContain('shop/converted_peer_authentication_workload');
    expect(deriveMesh([POD]).policies).toEqual([]);
  });
});
