import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import { KubectlProxy } from '../fixtures/kubectl-proxy.ts';
import { SandboxProcess, sandboxObstacle } from '../fixtures/sandbox.ts';
import { findKubectl } from '../setup/find-kubectl.ts';

const obstacle = sandboxObstacle();

function deployment(name: string, container: string, replicas = 1): string {
  return `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: shop }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      terminationGracePeriodSeconds: 2
      containers:
      - name: app
${container.replace(/^/gm, '        ')}
---`;
}

const SHOP = `
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: echo, namespace: shop }
---
apiVersion: v1
kind: Service
metadata: { name: echo, namespace: shop }
spec:
  selector: { app: echo }
  ports: [{ name: http, port: 80, targetPort: http }, { name: tcp, port: 9090 }]
---
apiVersion: v1
kind: Service
metadata: { name: nobody, namespace: shop }
spec: { selector: { app: nobody }, ports: [{ port: 80 }] }
---
${deployment('client', 'image: docker.io/curlimages/curl:8.10.1\ncommand: [sleep, infinity]')}
${deployment(
  'echo',
  `image: ghcr.io/anybody/aquifer/echo:dev
ports: [{ name: http, containerPort: 8080 }]
env: [{ name: VERSION, value: v1 }]
readinessProbe: { httpGet: { path: /, port: http }, periodSeconds: 1 }
lifecycle: { preStop: { sleep: { seconds: 1 } } }`,
  2,
)}
`;

/** `[pod, reason]` of every container that waits. */
const WAITING =
  '{range .items[*]}{.metadata.name}{" "}{.status.containerStatuses[0].state.waiting.reason}{"\\n"}{end}';

describe.skipIf(obstacle !== null)(`pods of the sandbox${obstacle ? `: ${obstacle}` : ''}`, () => {
  let sandbox: SandboxProcess;
  const shop = (...args: string[]): string => sandbox.kubectl(['-n', 'shop', ...args]);
  const inClient = (...command: string[]): string =>
    shop('exec', 'deploy/client', '--', ...command);

  /** kubectl with an input of one line, from a terminal or from a pipe. */
  const onTerminal = (command: string, isTerminal: boolean): SpawnSyncReturns<string> => {
    const kubectl = `${findKubectl()} -n shop ${command}`;
    const [program, ...args] = isTerminal
      ? ['script', '-qec', kubectl, '/dev/null']
      : ['sh', '-c', kubectl];
    return spawnSync(program!, args, {
      encoding: 'utf8',
      env: { ...process.env, KUBECONFIG: join(sandbox.dataDirectory, 'kubeconfig') },
      input: 'hello\n',
      timeout: 60_000,
    });
  };

  beforeAll(async () => {
    sandbox = await SandboxProcess.start();
    sandbox.kubectl(['apply', '-f', '-'], SHOP);
    shop('rollout', 'status', 'deploy/echo', 'deploy/client', '--timeout=60s');
  });
  afterAll(() => sandbox?.stop());

  test('two nodes are ready, and pods are spread over them', () => {
    const ready = sandbox.kubectl(['get', 'nodes', '--no-headers']);
    expect(ready).toMatch(/^node-1\s+Ready.*\nnode-2\s+Ready/);
    const path = 'jsonpath={.items[*].spec.nodeName}';
    const nodes = shop('get', 'pods', '-l', 'app=echo', '-o', path).split(' ');
    expect(nodes.sort()).toEqual(['node-1', 'node-2']);
  });

  test('a client reaches a Service by name, and every endpoint behind it sees its own address', () => {
    const address = shop(
      'get',
      'pods',
      '-l',
      'app=client',
      '-o',
      'jsonpath={.items[0].status.podIP}',
    );
    const seen = new Set<string>();
    for (let request = 0; request < 20; request++) {
      const answer = JSON.parse(inClient('curl', '-sS', '--max-time', '3', 'http://echo/'));
      expect(answer).toMatchObject({ remoteAddress: address, namespace: 'shop', version: 'v1' });
      seen.add(answer.pod);
    }
    expect(seen.size).toBe(2);
  });

  test('a link that joins the node leaves the address of the gateway alone', () => {
    const node = (...args: string[]): string =>
      execFileSync('ip', ['-n', 'aqf-node-1', ...args], { encoding: 'utf8' });
    const gateway = (): string => node('-br', 'link', 'show', 'pods');
    const before = gateway();
    // Lower than any address that the kernel makes up for a pod's link.
    node(...'link add joining address 02:00:00:00:00:01 type veth'.split(' '));
    node(...'link set joining master pods up'.split(' '));
    expect(gateway()).toBe(before);
    node('link', 'del', 'joining');
  });

  test('a pod reaches itself through its own Service', () => {
    for (let request = 0; request < 8; request++) {
      const answer = shop('exec', 'deploy/echo', '--', 'curl', '-sS', '-m', '3', 'http://echo/');
      expect(JSON.parse(answer).version).toBe('v1');
    }
  });

  test('a Service without endpoints refuses at once, and an unknown name does not resolve', () => {
    expect(() => inClient('curl', '-sS', '-m', '3', 'http://nobody/')).toThrow(
      /connect to nobody port 80/i,
    );
    expect(() => inClient('curl', '-sS', '-m', '3', 'http://nothing.shop/')).toThrow(
      /could not resolve host/i,
    );
  });

  test('pods and Services answer through the API, to those who may ask', async () => {
    const below = (target: string): string => `/api/v1/namespaces/shop/${target}/proxy`;
    const raw = (target: string, path: string): string =>
      sandbox.kubectl(['get', '--raw', `${below(target)}${path}`]);
    const [pod] = shop(
      'get',
      'pods',
      '-l',
      'app=echo',
      '-o',
      'jsonpath={.items[*].metadata.name}',
    ).split(' ');
    for (const target of [
      'services/http:echo:http',
      'services/echo:80',
      `pods/${pod}:8080`,
      `pods/${pod}`,
    ]) {
      expect(JSON.parse(raw(target, '/a%20b?c=d'))).toMatchObject({
        path: '/a%20b',
        query: { c: 'd' },
      });
    }
    expect(() => raw('services/nobody', '/')).toThrow(
      /no endpoints available for service "nobody"/,
    );
    expect(() => raw('services/echo:81', '/')).toThrow(
      /no service port 81 found for service "echo"/,
    );
    expect(() => raw(`pods/${pod}:81`, '/')).toThrow(
      /dial tcp 10\.244\.\d+\.\d+:81: connect: connection refused/,
    );
    const stranger = ['--as=system:serviceaccount:shop:echo'];
    expect(() =>
      sandbox.kubectl(['get', '--raw', `${below('services/echo:80')}/`, ...stranger]),
    ).toThrow(/cannot get resource "services\/proxy"/);
    await using proxy = await KubectlProxy.start(sandbox);
    const webSocket = new WebSocket(`ws://${proxy.address}${below('services/echo:80')}/`);
    await once(webSocket, 'open');
    webSocket.send('hello');
    const [message] = await once(webSocket, 'message');
    expect(message.data).toBe('hello');
    webSocket.close();
  });

  test('a hundred megabytes arrive whole in both directions across nodes', () => {
    const size = 100_000_000;
    const down = `curl -sS 'http://echo/?size=${size}' | tee /tmp/body | sha256sum | cut -d' ' -f1`;
    const sha256 = inClient('sh', '-c', down).trim();
    const up = inClient('curl', '-sS', '--data-binary', '@/tmp/body', 'http://echo/upload');
    expect(JSON.parse(up)).toMatchObject({ bodyBytes: size, sha256 });
  });

  test('a pod has its token, the cluster CA, its DNS, and reaches the API with them', () => {
    const directory = '/var/run/secrets/kubernetes.io/serviceaccount';
    const call = `curl -sS --cacert ${directory}/ca.crt -H "Authorization: Bearer $(cat ${directory}/token)" https://kubernetes.default.svc/version`;
    expect(JSON.parse(inClient('sh', '-c', call))).toMatchObject({ major: '1' });
    expect(inClient('cat', '/etc/resolv.conf')).toContain('nameserver 10.96.0.10');
    expect(inClient('cat', `${directory}/namespace`)).toBe('shop');
  });

  test('every process of a pod is in a cgroup that carries the pod uid', () => {
    const uid = shop('get', 'pods', '-l', 'app=client', '-o', 'jsonpath={.items[0].metadata.uid}');
    expect(inClient('cat', '/proc/self/cgroup')).toMatch(
      new RegExp(`kubepods/besteffort/pod${uid}/[0-9a-f]{64}`),
    );
  });

  test('what a container writes stays with it', () => {
    inClient('sh', '-c', 'echo mine > /usr/local/mine; rm /bin/true');
    expect(inClient('cat', '/usr/local/mine')).toBe('mine\n');
    expect(() => shop('exec', 'deploy/echo', '--', 'cat', '/usr/local/mine')).toThrow(
      /No such file/,
    );
    expect(shop('exec', 'deploy/echo', '--', 'ls', '/bin/true')).toBe('/bin/true\n');
  });

  test('exec -it gives a terminal and passes the exit code on', () => {
    const command = 'tty; read line; echo "got $line"; exit 7';
    const terminal = onTerminal(`exec -it deploy/client -- sh -c '${command}'`, true);
    expect(terminal.stdout).toContain('/dev/pts/');
    expect(terminal.stdout).toContain('got hello');
    expect(terminal.status).toBe(7);
  });

  test('run -i --rm and run -it --rm talk to a program that is gone afterwards', () => {
    const script = 'tty; read line; echo "got $line"';
    const run = (how: string, name: string): string =>
      `run ${how} --rm ${name} --image=busybox --restart=Never --quiet -- sh -c '${script}'`;
    const piped = onTerminal(run('-i', 'piped'), false);
    expect(piped.stdout).toContain('not a tty\ngot hello\n');
    const typed = onTerminal(run('-it', 'typed'), true);
    expect(typed.stdout).toContain('got hello');
    expect(shop('get', 'pods', '--no-headers')).not.toMatch(/piped|typed/);
  });

  test('debug puts a container into a running pod, with its network, and the pod goes on', () => {
    const script = 'read line; echo "$line from $(hostname)"; curl -s localhost:8080 | head -c 1';
    const pod = shop('get', 'pods', '-l', 'app=echo', '-o', 'jsonpath={.items[0].metadata.name}');
    const debug = `debug -i ${pod} --image=busybox -c look --quiet -- sh -c '${script}'`;
    expect(onTerminal(debug, false).stdout).toContain(`hello from ${pod}\n{`);
    const status = shop('get', 'pod', pod, '-o', 'jsonpath={.status.ephemeralContainerStatuses}');
    expect(JSON.parse(status)).toMatchObject([
      { name: 'look', restartCount: 0, state: { terminated: { exitCode: 0 } } },
    ]);
    expect(shop('get', 'pod', pod, '--no-headers')).toMatch(/1\/1\s+Running/);
  });

  test('a LoadBalancer gets an address that works from the machine, and loses it again', async () => {
    const type = (name: string): string =>
      shop('patch', 'service', 'echo', '-p', JSON.stringify({ spec: { type: name } }));
    const address = (): string =>
      shop('get', 'service', 'echo', '-o', 'jsonpath={.status.loadBalancer.ingress[0].ip}');
    type('LoadBalancer');
    await eventually(() => address() !== '');
    const answer = await eventually(() => {
      const { stdout } = spawnSync('curl', ['-sS', '-m', '3', `http://${address()}/`]);
      return stdout.length > 0 ? stdout.toString() : null;
    });
    expect(JSON.parse(answer)).toMatchObject({ namespace: 'shop', version: 'v1' });
    type('ClusterIP');
    await eventually(() => address() === '');
  });

  test('with session affinity a client meets the same endpoint, and an ExternalName leads to a Service', async () => {
    const alias = `
apiVersion: v1
kind: Service
metadata: { name: alias, namespace: shop }
spec: { type: ExternalName, externalName: echo.shop.svc.cluster.local }`;
    sandbox.kubectl(['apply', '-f', '-'], alias);
    shop('patch', 'service', 'echo', '-p', '{"spec":{"sessionAffinity":"ClientIP"}}');
    const loop = 'for n in 1 2 3 4 5 6 7 8 9 10; do curl -sS -m 3 http://alias/; echo; done';
    const askedPods = (): string[] => {
      const answers = inClient('sh', '-c', loop)
        .split('\n')
        .filter((line) => line !== '');
      return answers.map((answer) => JSON.parse(answer).pod);
    };
    await eventually(() => new Set(askedPods()).size === 1);
    expect(askedPods()).toHaveLength(10);
    shop('patch', 'service', 'echo', '-p', '{"spec":{"sessionAffinity":"None"}}');
  });

  test('a NetworkPolicy keeps others out, on the ports that it does not open', async () => {
    const policy = (ingress: string): void => {
      const spec = `{ podSelector: { matchLabels: { app: echo } }, ingress: ${ingress} }`;
      const metadata = '{ name: door, namespace: shop }';
      const text = `{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: ${metadata}, spec: ${spec} }`;
      sandbox.kubectl(['apply', '-f', '-'], text);
    };
    const reaches = (port: number): boolean => {
      try {
        inClient('curl', '-sS', '-m', '2', '-o', '/dev/null', `http://echo:${port}/`);
        return true;
      } catch (error) {
        // At 9090 nobody speaks HTTP, which curl says once it is through.
        return !/timed out/i.test(String(error));
      }
    };
    policy('[]');
    await eventually(() => !reaches(80));
    policy(
      '[{ from: [{ podSelector: { matchLabels: { app: client } } }], ports: [{ port: http }] }]',
    );
    await eventually(() => reaches(80));
    expect(reaches(9090)).toBe(false);
    shop('delete', 'networkpolicy', 'door');
    await eventually(() => reaches(9090));
  });

  test('a tainted node loses the pods that do not tolerate it, and gets none', async () => {
    const nodes = (): string[] =>
      shop('get', 'pods', '-l', 'app=echo', '-o', 'jsonpath={.items[*].spec.nodeName}').split(' ');
    sandbox.kubectl(['taint', 'node', 'node-2', 'maintenance=now:NoExecute']);
    await eventually(() => nodes().join() === 'node-1,node-1', { timeoutMs: 20_000 });
    const events = ['get', 'events', '--field-selector', 'reason=TaintManagerEviction'];
    expect(shop(...events)).toContain('Marking for deletion Pod shop/echo-');
    sandbox.kubectl(['taint', 'node', 'node-2', 'maintenance-']);
    shop('rollout', 'status', 'deploy/echo', 'deploy/client', '--timeout=60s');
  });

  test('an unknown image keeps its pod waiting and lists the known ones', async () => {
    sandbox.kubectl(['apply', '-f', '-'], deployment('unknown', 'image: example.com/cart:7'));
    await eventually(() =>
      /ErrImagePull|ImagePullBackOff/.test(
        shop('get', 'pods', '-l', 'app=unknown', '-o', `jsonpath=${WAITING}`),
      ),
    );
    const events = await eventually(() => {
      const text = shop('get', 'events', '--field-selector', 'reason=Failed');
      return text.includes('example.com/cart:7') ? text : null;
    });
    expect(events).toMatch(/images load ARCHIVE; programs of the sandbox are aquifer\/echo/);
    shop('delete', 'deploy', 'unknown');
  });

  test('a crashing container is restarted with back-off, and the log of its last run is kept', async () => {
    const crash = 'image: busybox\ncommand: [sh, -c, "echo dying; exit 3"]';
    sandbox.kubectl(['apply', '-f', '-'], deployment('crash', crash));
    await eventually(() =>
      shop('get', 'pods', '-l', 'app=crash', '-o', `jsonpath=${WAITING}`).includes(
        'CrashLoopBackOff',
      ),
    );
    expect(shop('logs', 'deploy/crash', '--previous')).toBe('dying\n');
    shop('delete', 'deploy', 'crash');
  });

  test('a failing liveness probe restarts the container, a failing readiness probe takes it out', async () => {
    const probes = `image: busybox
command: [sleep, infinity]
livenessProbe: { exec: { command: [test, '!', -e, /tmp/dead] }, periodSeconds: 1, failureThreshold: 1 }
readinessProbe: { exec: { command: [test, '!', -e, /tmp/busy] }, periodSeconds: 1, failureThreshold: 1 }`;
    sandbox.kubectl(['apply', '-f', '-'], deployment('probed', probes));
    shop('rollout', 'status', 'deploy/probed', '--timeout=30s');
    const status = (path: string): string =>
      shop(
        'get',
        'pods',
        '-l',
        'app=probed',
        '-o',
        `jsonpath={.items[0].status.containerStatuses[0].${path}}`,
      );
    shop('exec', 'deploy/probed', '--', 'touch', '/tmp/busy');
    await eventually(() => status('ready') === 'false', { what: 'unready' });
    expect(status('restartCount')).toBe('0');
    shop('exec', 'deploy/probed', '--', 'touch', '/tmp/dead');
    await eventually(() => status('restartCount') === '1' && status('ready') === 'true', {
      what: 'restarted',
    });
    shop('delete', 'deploy', 'probed');
  });

  test('a rolling update replaces the pods while the Service keeps answering', async () => {
    const loop = `until [ -e /tmp/stop ]; do curl -s -m 3 -o /dev/null -w '%{http_code}\n' http://echo/; done`;
    const exec = ['-n', 'shop', 'exec', 'deploy/client', '--', 'sh', '-c', loop];
    const load = sandbox.kubectlAsync(exec);
    shop('set', 'env', 'deploy/echo', 'VERSION=v2');
    shop('rollout', 'status', 'deploy/echo', '--timeout=30s');
    inClient('touch', '/tmp/stop');
    const codes = (await load).trim().split('\n');
    expect(codes.length).toBeGreaterThan(20);
    expect(codes.filter((code) => code !== '200')).toEqual([]);
    expect(JSON.parse(inClient('curl', '-sS', 'http://echo/')).version).toBe('v2');
  });

  test('deleting a namespace ends its pods and their processes', async () => {
    sandbox.kubectl(['delete', 'namespace', 'shop', '--timeout=60s']);
    expect(sandbox.kubectl(['get', 'pods', '-A', '-o', 'name'])).toBe('');
  });
});
