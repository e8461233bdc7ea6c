import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import { machineTraces, sandboxObstacle } from '../fixtures/sandbox.ts';
import { run } from '../story/kubectl.ts';
import { STRICT } from '../story/manifests.ts';
import { MeshSandbox } from '../story/mesh-sandbox.ts';
import { Shop } from '../story/shop.ts';

const obstacle = sandboxObstacle();

/** Sends what is no protocol at all and prints `closed` when the other side has ended the connection. */
const GARBAGE = `
import os, socket, sys
try:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
    s.settimeout(15)
    s.sendall(b'\\x00\\xff' + os.urandom(4096))
    while s.recv(4096): pass
except (ConnectionResetError, BrokenPipeError): pass
print('closed')
`;

function peerAuthentication(spec: string): string {
  return `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: shop}
spec: ${spec}
`;
}

const L7_FOR_ZTUNNEL = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: l7-for-ztunnel, namespace: shop}
spec:
  selector: {matchLabels: {app: nothing}}
  action: DENY
  rules:
    - to: [{operation: {methods: [DELETE]}}]
`;

const DENY_DELETE_FROM_OUTSIDE = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny-delete, namespace: shop}
spec:
  selector: {matchLabels: {app: server}}
  action: DENY
  rules:
    - from: [{source: {notNamespaces: [shop]}}]
      to: [{operation: {methods: [DELETE]}}]
`;

interface Conditions {
  readonly status?: {
    readonly conditions?: readonly {
      type: string;
      status: string;
      reason: string;
      message: string;
    }[];
  };
}

describe.skipIf(obstacle !== null)(`bad input${obstacle ? `: ${obstacle}` : ''}`, () => {
  let before: Record<string, unknown>;
  let sandbox: MeshSandbox;
  let shop: Shop;

  beforeAll(async () => {
    before = machineTraces();
    sandbox = await MeshSandbox.up(process.env);
    shop = new Shop(sandbox.kubectl);
    await shop.deploy();
    await sandbox.kubectl.run('label', 'ns', 'shop', 'istio.io/dataplane-mode=ambient');
    await shop.untilRedirection('enabled', ['client', 'server']);
  });

  afterAll(async () => {
    await sandbox?.down();
  });

  function apply(yaml: string, validate: 'strict' | 'warn') {
    const command = ['kubectl', 'apply', `--validate=${validate}`, '-f', '-'];
    return run(command, { env: sandbox.kubectl.env, input: yaml });
  }

  test.for([
    { what: 'a wrong type', spec: '{mtls: [STRICT]}', field: 'spec.mtls' },
    {
      what: 'a value that is none of the choices',
      spec: '{mtls: {mode: LOOSE}}',
      field: 'spec.mtls.mode',
    },
    { what: 'an unknown field', spec: '{mtlss: {mode: STRICT}}', field: 'spec.mtlss' },
  ])('a manifest with $what is refused with field and reason', async ({ spec, field }) => {
    const { code, stderr } = await apply(peerAuthentication(spec), 'strict');
    expect(code).not.toBe(0);
    expect(stderr).toContain(field);
    expect(await sandbox.kubectl.run('get', 'peerauthentication', '-n', 'shop')).toBe('');
  });

  test('under Warn an unknown field is pruned, with a warning', async () => {
    const { code, stderr } = await apply(peerAuthentication('{mtlss: {mode: STRICT}}'), 'warn');
    expect(code).toBe(0);
    expect(stderr).toContain('unknown field "spec.mtlss"');
    const stored = ['get', 'peerauthentication', 'default', '-n', 'shop', '-o', 'jsonpath={.spec}'];
    expect(await sandbox.kubectl.run(...stored)).toBe('{}');
    await sandbox.kubectl.run('delete', 'peerauthentication', 'default', '-n', 'shop');
  });

  test('a policy that ztunnel cannot enforce says so in its status', async () => {
    await sandbox.kubectl.apply(L7_FOR_ZTUNNEL);
    const condition = await eventually(async () => {
      const policy = await sandbox.kubectl.json<Conditions>(
        'get',
        'authorizationpolicy',
        'l7-for-ztunnel',
        '-n',
        'shop',
      );
      return policy.status?.conditions?.find(({ type }) => type === 'ZtunnelAccepted');
    });
    expect(condition.message).toMatch(/methods/i);
    await sandbox.kubectl.run('delete', 'authorizationpolicy', 'l7-for-ztunnel', '-n', 'shop');
  });

  test('a DENY policy with HTTP attributes denies whatever else it matches', async () => {
    expect(await shop.status('outsider')).toBe('200');
    await sandbox.kubectl.apply(DENY_DELETE_FROM_OUTSIDE);
    await eventually(async () => (await shop.status('outsider', '/', ['-XDELETE'])) === '000');
    expect(await shop.status('outsider')).toBe('000');
    expect(await shop.status('client')).toBe('200');
    await sandbox.kubectl.run('delete', 'authorizationpolicy', 'deny-delete', '-n', 'shop');
    await eventually(async () => (await shop.status('outsider')) === '200');
  });

  test.for([15_008, 15_001, 15_006])('garbage on %i closes that connection only', async (port) => {
    using held = await shop.hold('client');
    const { ip } = await shop.pod('server');
    const command = ['python3', '-c', GARBAGE, ip, String(port)];
    for (let n = 0; n < 3; n++) {
      const { stdout, stderr } = await shop.kubectl.exec('outside', 'deploy/outsider', command);
      expect(stdout + stderr).toBe('closed\n');
    }
    expect((await held.finish()).lines).toBeGreaterThan(1);
    expect(await shop.status('client')).toBe('200');
  });

  test("garbage on the waypoint's 15008 closes that connection only", async () => {
    const apply = ['waypoint', 'apply', '-n', 'shop', '--enroll-namespace', '--wait'];
    expect((await sandbox.aquifer(apply)).code).toBe(0);
    const { ip } = await shop.pod('gateway.networking.k8s.io/gateway-name=waypoint');
    await eventually(async () => (await shop.echo('client')).remoteAddress === ip);
    const command = ['python3', '-c', GARBAGE, ip, '15008'];
    const [{ stdout }, versions] = await Promise.all([
      shop.kubectl.exec('outside', 'deploy/outsider', command),
      shop.versionsOf(200),
    ]);
    expect(stdout).toBe('closed\n');
    expect(versions.get('v1')).toBe(200);
    expect(await shop.status('client')).toBe('200');
  });

  test('a control plane that goes away leaves traffic flowing, and is obeyed when it is back', async () => {
    const scale = ['scale', '-n', 'istio-system', 'deploy/istiod'];
    await sandbox.kubectl.run(...scale, '--replicas=0');
    const podsOfIstiod = ['get', 'pods', '-n', 'istio-system', '-l', 'app=istiod', '-o', 'name'];
    await eventually(async () => (await sandbox.kubectl.run(...podsOfIstiod)) === '', {
      timeoutMs: 40_000,
    });
    using held = await shop.hold('client');
    for (let n = 0; n < 5; n++) expect(await shop.status('client')).toBe('200');
    await sandbox.kubectl.run(...scale, '--replicas=1');
    await sandbox.kubectl.run(
      'rollout',
      'status',
      '-n',
      'istio-system',
      'deploy/istiod',
      '--timeout=60s',
    );
    await sandbox.kubectl.apply(STRICT);
    await eventually(async () => (await shop.status('outsider')) === '000', { timeoutMs: 40_000 });
    expect((await held.finish()).lines).toBeGreaterThan(1);
    expect(await shop.status('client')).toBe('200');
  });

  test('after a crash of the sandbox, down leaves nothing behind', async () => {
    process.kill(await sandbox.pid(), 'SIGKILL');
    const { code } = await sandbox.down();
    expect(code).toBe(0);
    expect(machineTraces()).toEqual(before);
  });
});
