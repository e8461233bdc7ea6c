/** What kubectl prints for commands that no recording holds: refusals in the words of kube-apiserver, and tables. */
import { execFile } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type KubectlCluster,
  startKubectlCluster,
} from '../../../test/fixtures/kubectl-cluster.ts';
import { findKubectl } from '../../../test/setup/find-kubectl.ts';

const kubectl = findKubectl();

describe.skipIf(kubectl === null)('kubectl prints', () => {
  let cluster: KubectlCluster;

  beforeAll(async () => {
    cluster = await startKubectlCluster();
    await run('create deployment web --image=nginx --replicas=2');
    await run('create service nodeport np --tcp=80:8080 --node-port=30080');
    await run('create pdb half --selector=app=web --min-available=50%');
    await run("create ingress shop --rule='shop.example/cart=web:80' --class=nginx");
    await run('create quota small --hard=pods=3,limits.cpu=2');
    await run('create job once --image=busybox -- true');
  });

  afterAll(() => cluster[Symbol.asyncDispose]());

  /** Output and errors in one, with what a manifest from standard input gives. */
  function run(command: string, manifest = ''): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    const env = { HOME: cluster.directory, KUBECONFIG: cluster.kubeconfig };
    const child = execFile('sh', ['-c', `${kubectl} ${command}`], { env }, (_error, out, err) => {
      resolve(`${out}${err}`.replaceAll(/ +/g, ' ').trim());
    });
    child.stdin?.end(manifest);
    return promise;
  }

  test.for([
    [
      'a node port that is taken',
      'create service nodeport other --tcp=80 --node-port=30080',
      'spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated',
    ],
    [
      'a node port out of range',
      'create service nodeport other --tcp=80 --node-port=80',
      'provided port is not in the valid range. The range of valid ports is 30000-32767',
    ],
    [
      'an address out of range',
      'create service clusterip other --tcp=80 --clusterip=1.2.3.4',
      'spec.clusterIPs: Invalid value: ["1.2.3.4"]: failed to allocate IP 1.2.3.4: the provided network does not match the current range',
    ],
    [
      'a schedule of another form',
      "create cronjob odd --image=busybox --schedule='61 * * * *'",
      'CronJob.batch "odd" is invalid: spec.schedule: Invalid value: "61 * * * *": end of range (61) above maximum (59): 61',
    ],
    [
      'a strategy that keeps the settings of another',
      `patch deploy web -p '{"spec":{"strategy":{"type":"Recreate"}}}'`,
      "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
    ],
    [
      'a request above its limit',
      'set resources deploy/web --limits=cpu=200m --requests=cpu=1',
      'spec.template.spec.containers[0].resources.requests: Invalid value: "1": must be less than or equal to cpu limit of 200m',
    ],
    [
      'an object that has a version before it exists',
      `create --raw /api/v1/namespaces/default/configmaps -f - <<< '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","resourceVersion":"5"}}'`,
      'Error from server: resourceVersion should not be set on objects to be created',
    ],
    [
      'a route that waits longer for one attempt than for all',
      `apply -f - <<< '{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"r"},"spec":{"rules":[{"timeouts":{"request":"1s","backendRequest":"2s"}}]}}'`,
      'spec.rules[0].timeouts: Invalid value: "object": backendRequest timeout cannot be longer than request timeout',
    ],
    [
      'a filter of one type with the settings of another',
      `apply -f - <<< '{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"r"},"spec":{"rules":[{"filters":[{"type":"RequestRedirect","urlRewrite":{"hostname":"a.b"}}]}]}}'`,
      'filter.requestRedirect must be specified for RequestRedirect filter.type',
    ],
    [
      'a Service as backend without its port',
      `apply -f - <<< '{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"r"},"spec":{"rules":[{"backendRefs":[{"name":"web"}]}]}}'`,
      'spec.rules[0].backendRefs[0]: Invalid value: "object": Must have port for Service reference',
    ],
    [
      'a gRPC match of neither service nor method',
      `apply -f - <<< '{"apiVersion":"gateway.networking.k8s.io/v1","kind":"GRPCRoute","metadata":{"name":"r"},"spec":{"rules":[{"matches":[{"method":{"type":"Exact"}}]}]}}'`,
      "One or both of 'service' or 'method' must be specified",
    ],
    [
      'a gRPC service that is no name',
      `apply -f - <<< '{"apiVersion":"gateway.networking.k8s.io/v1","kind":"GRPCRoute","metadata":{"name":"r"},"spec":{"rules":[{"matches":[{"method":{"service":"shop/Cart"}}]}]}}'`,
      'spec.rules[0].matches[0].method: Invalid value: "object": service must only contain valid characters',
    ],
    [
      'a gRPC filter of one type with the settings of another',
      `apply -f - <<< '{"apiVersion":"gateway.networking.k8s.io/v1","kind":"GRPCRoute","metadata":{"name":"r"},"spec":{"rules":[{"filters":[{"type":"RequestMirror","requestHeaderModifier":{"remove":["a"]}}]}]}}'`,
      'filter.requestMirror must be specified for RequestMirror filter.type',
    ],
    [
      'listeners that cannot be told apart',
      `apply -f - <<< '{"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"g"},"spec":{"gatewayClassName":"istio","listeners":[{"name":"a","port":80,"protocol":"HTTP"},{"name":"b","port":80,"protocol":"HTTP"}]}}'`,
      'spec.listeners: Invalid value: "array": Combination of port, protocol and hostname must be unique for each listener',
    ],
    [
      'mutual TLS of ports without a selector',
      `apply -f - <<< '{"apiVersion":"security.istio.io/v1","kind":"PeerAuthentication","metadata":{"name":"p"},"spec":{"portLevelMtls":{"80":{"mode":"DISABLE"}}}}'`,
      'spec: Invalid value: "object": portLevelMtls requires selector',
    ],
    [
      'a policy with a selector and targets',
      `apply -f - <<< '{"apiVersion":"security.istio.io/v1","kind":"AuthorizationPolicy","metadata":{"name":"a"},"spec":{"selector":{},"targetRefs":[{"kind":"Service","name":"web"}]}}'`,
      'spec: Invalid value: "object": only one of targetRefs or selector can be set',
    ],
    [
      'the end of a namespace that a cluster needs',
      'delete ns default',
      'namespaces "default" is forbidden: this namespace may not be deleted',
    ],
    [
      'a finalizer of nobody',
      `patch cm kube-root-ca.crt --type=merge -p '{"metadata":{"finalizers":["mine"]}}'`,
      'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
    ],
    [
      'a pod of a priority that nobody named',
      `run odd --image=nginx --overrides='{"spec":{"priorityClassName":"odd"}}'`,
      'pods "odd" is forbidden: no PriorityClass with name odd was found',
    ],
    [
      'a secret without its keys',
      `apply -f - <<< '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"type":"kubernetes.io/tls"}'`,
      'data[tls.crt]: Required value',
    ],
  ] as const)('the refusal of %s', async ([, command, refusal]) => {
    const [arguments_, manifest] = command.split(' <<< ');
    const printed = await run(arguments_ ?? '', manifest?.slice(1, -1));
    expect(printed).toContain(refusal);
  });

  test('every mistake of a pod, in the order of its fields', async () => {
    const printed = await run(
      'apply -f -',
      `
apiVersion: v1
kind: Pod
metadata: {name: bad}
spec:
  restartPolicy: Sometimes
  volumes: [{name: v, emptyDir: {}, hostPath: {path: /}}, {name: v}]
  containers:
  - name: C_
    image: ""
    imagePullPolicy: Maybe
    ports: [{name: much-too-long-name, containerPort: 70000, protocol: FOO}, {name: a, containerPort: 1}, {name: a, containerPort: 2}]
    volumeMounts: [{name: none, mountPath: /x}]
    livenessProbe: {httpGet: {port: 0}}
`,
    );
    expect(printed.split('\n').map((line) => line.replace(/: a lowercase .*/, ''))).toEqual([
      'The Pod "bad" is invalid: ',
      '* spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type',
      '* spec.volumes[1].name: Duplicate value: "v"',
      '* spec.containers[0].name: Invalid value: "C_"',
      '* spec.containers[0].image: Required value',
      '* spec.containers[0].ports[0].name: Invalid value: "much-too-long-name": must be no more than 15 characters',
      '* spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
      '* spec.containers[0].ports[0].protocol: Unsupported value: "FOO": supported values: "SCTP", "TCP", "UDP"',
      '* spec.containers[0].ports[2].name: Duplicate value: "a"',
      '* spec.containers[0].volumeMounts[0].name: Not found: "none"',
      '* spec.containers[0].imagePullPolicy: Unsupported value: "Maybe": supported values: "Always", "IfNotPresent", "Never"',
      '* spec.containers[0].livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive',
      '* spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
    ]);
  });

  test('a scaler sent as protobuf, in the version that get shows', async () => {
    expect(await run('autoscale deploy web --min=1 --max=3 --cpu=50%')).toContain('web autoscaled');
    expect(await run('get hpa web')).toMatch(/^web Deployment\/web cpu: <unknown>\/50% 1 3 0 /m);
    await run('create pdb none --selector=a=b --max-unavailable=0');
    expect(await run('get pdb none')).toMatch(/^none N\/A 0 0 /m);
  });

  test('a replica set adopts the pods it selects, and lets go of those that lose its labels', async () => {
    await run('create deployment own --image=nginx --replicas=2');
    const pods = async (): Promise<string[]> =>
      (await run('get pods -l app=own -o name')).split('\n').filter((line) => line !== '');
    await expect.poll(pods).toHaveLength(2);
    const before = await pods();
    const [set] = (await run('get rs -l app=own -o name')).split('\n');
    await run(`delete ${set} --cascade=orphan`);
    await expect.poll(() => run('get rs -l app=own')).toMatch(/ 2 2 0 /);
    expect(await pods()).toEqual(before);
    await run(`label ${before[0]} app-`);
    await expect.poll(pods).toHaveLength(2);
    expect(await run(`get ${before[0]} -o jsonpath={.metadata.ownerReferences}`)).toBe('');
  });

  test('a budget knows how many pods it is for, and how many may go', async () => {
    const shown = () => run('get pdb half -o jsonpath="{.status}"');
    await expect.poll(shown).toMatch(/"desiredHealthy":1,.*"expectedPods":2/);
    expect(await shown()).toContain('"reason":"InsufficientPods"');
  });

  test.for([
    ['get pdb half', /^half 50% N\/A 0 \d+s$/m],
    ['get ingress shop', /^shop nginx shop.example 80 \d+s$/m],
    ['get deploy web --subresource=scale', /^web 2 2 \d+s$/m],
    [
      `run vital --image=nginx -o yaml --overrides='{"spec":{"priorityClassName":"system-node-critical"}}'`,
      /priority: 2000001000$/m,
    ],
    ['get endpoints np', /^np <none> \d+s$/m],
    ['get endpoints np', /Warning: v1 Endpoints is deprecated in v1.33\+/],
    ['get priorityclasses', /^system-node-critical 2000001000 false \d+s PreemptLowerPriority$/m],
    ['get --raw /readyz?verbose', /^\[\+\]ping ok\n(.*ok\n)*readyz check passed$/],
    ['get --raw /livez/ping', /^ok$/],
    ['get --raw /constructor', /NotFound/],
    ['get --raw /version', /^\{\n "major": "1",\n "minor": "34",$/m],
    ['get --raw /api/v1/namespaces/default?pretty=true', /^\{\n "apiVersion": "v1",$/m],
    ['get --raw /metrics', /^apiserver_storage_objects\{resource="deployments.apps"\} \d+$/m],
    ['get --raw /.well-known/openid-configuration', /"jwks_uri":"https:\/\/127/],
    ['get --raw /', /"\/apis\/apps\/v1"/],
    ['auth can-i --list', /selfsubjectreviews.authentication.k8s.io/],
    ["get pods -l 'app in (web'", /unable to parse requirement: found '', expected: ',' or '\)'/],
    ['get pods -l =x', /: found '=', expected: !, identifier, or 'end of string'/],
    ["get pods -l 'app in (web,db),!job-name' -o name", /^pod\/web-\S+\npod\/web-\S+$/],
    [
      'create token default --bound-object-kind=Pod --bound-object-name=nope',
      /^error: failed to create token: pods "nope" not found$/,
    ],
    ['get replicasets -o yaml', /deployment.kubernetes.io\/max-replicas: "3"$/m],
    ['get job once --show-labels', /job-name=once$/m],
  ] as const)('%s', async ([command, row]) => {
    expect(await run(command)).toMatch(row);
  });
});
