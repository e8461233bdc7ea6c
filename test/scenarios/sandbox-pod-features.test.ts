import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import { SandboxProcess, sandboxObstacle } from '../fixtures/sandbox.ts';

const obstacle = sandboxObstacle();

const FULL = `
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { color: blue }
---
apiVersion: v1
kind: Pod
metadata: { name: full, labels: { tier: front } }
spec:
  terminationGracePeriodSeconds: 5
  securityContext: { runAsUser: 1234, runAsGroup: 99, runAsNonRoot: true }
  initContainers:
  - name: prepare
    image: busybox
    command: [sh, -c, 'echo prepared > /prepared/file']
    volumeMounts: [{ name: work, mountPath: /prepared }]
  - name: helper
    image: busybox
    restartPolicy: Always
    command: [sh, -c, 'trap "echo helper ends; exit 0" TERM; echo helper runs; while :; do sleep 0.1; done']
  containers:
  - name: app
    image: busybox
    command: [sh, -c, 'trap "echo app ends; exit 0" TERM; echo $(GREETING); while :; do sleep 0.1; done']
    env:
    - { name: COLOR, valueFrom: { configMapKeyRef: { name: settings, key: color } } }
    - { name: GREETING, value: hello from $(COLOR) }
    securityContext: { capabilities: { drop: [ALL] }, allowPrivilegeEscalation: false }
    lifecycle: { preStop: { exec: { command: [sh, -c, 'sleep 0.5'] } } }
    volumeMounts:
    - { name: work, mountPath: /data }
    - { name: settings, mountPath: /etc/color, subPath: color }
    - { name: identity, mountPath: /identity }
  volumes:
  - { name: work, emptyDir: {} }
  - { name: settings, configMap: { name: settings } }
  - name: identity
    projected:
      sources:
      - serviceAccountToken: { path: token, audience: istio-ca, expirationSeconds: 600 }
      - downwardAPI: { items: [{ path: labels, fieldRef: { fieldPath: metadata.labels } }] }
`;

const JOB = `
apiVersion: batch/v1
kind: Job
metadata: { name: count }
spec:
  completions: 2
  template:
    spec: { restartPolicy: Never, containers: [{ name: app, image: busybox, command: [echo, counted] }] }
`;

const DATABASE = `
apiVersion: v1
kind: Service
metadata: { name: db }
spec: { clusterIP: None, selector: { app: db }, ports: [{ port: 80 }] }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db }
spec:
  serviceName: db
  replicas: 2
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec:
      terminationGracePeriodSeconds: 0
      securityContext: { runAsUser: 1234, runAsGroup: 99 }
      containers:
      - name: db
        image: busybox
        command: [sh, -c, 'hostname >> /data/starts; echo done >> /data/deep/file; sleep 1000']
        volumeMounts: [{ name: data, mountPath: /data }, { name: data, mountPath: /data/deep, subPath: deep }]
  volumeClaimTemplates:
  - metadata: { name: data }
    spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Gi } } }
`;

const JOBS = `
apiVersion: batch/v1
kind: Job
metadata: { name: parts }
spec:
  completions: 3
  parallelism: 2
  completionMode: Indexed
  ttlSecondsAfterFinished: 3
  template:
    spec:
      restartPolicy: Never
      containers: [{ name: app, image: busybox, command: [sh, -c, 'echo part $JOB_COMPLETION_INDEX on $(hostname)'] }]
---
apiVersion: batch/v1
kind: Job
metadata: { name: endless }
spec:
  activeDeadlineSeconds: 2
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers: [{ name: app, image: pause }]
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: often }
spec:
  schedule: '@every 1s'
  successfulJobsHistoryLimit: 1
  jobTemplate:
    metadata: { labels: { run-by: often } }
    spec:
      template: { spec: { restartPolicy: Never, containers: [{ name: app, image: busybox, command: [echo, often] }] } }
`;

const LIMITED = `
apiVersion: v1
kind: Pod
metadata: { name: greedy }
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: memory
    image: busybox
    command: [sh, -c, 'sleep 0.2; exec tail /dev/zero']
    resources: { limits: { memory: 32Mi } }
  - name: processor
    image: busybox
    command: [sh, -c, 'echo $$$$; while :; do :; done']
    resources: { limits: { cpu: 100m } }
`;

const BUSY = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: busy }
spec:
  selector: { matchLabels: { app: busy } }
  template:
    metadata: { labels: { app: busy } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: app
        image: busybox
        command: [sh, -c, 'while :; do :; done']
        resources: { requests: { cpu: 20m }, limits: { cpu: 60m } }
`;

describe.skipIf(obstacle !== null)(
  `what a pod may ask for${obstacle ? `: ${obstacle}` : ''}`,
  () => {
    let sandbox: SandboxProcess;
    const inApp = (script: string): string =>
      sandbox.kubectl(['exec', 'full', '-c', 'app', '--', 'sh', '-c', script]);

    beforeAll(async () => {
      sandbox = await SandboxProcess.start();
      sandbox.kubectl(['apply', '-f', '-'], FULL);
      sandbox.kubectl(['wait', '--for=condition=Ready', 'pod/full', '--timeout=30s']);
    });
    afterAll(() => sandbox?.stop());

    test('init containers run first and leave their files in shared volumes; sidecars run beside', () => {
      expect(inApp('cat /data/file')).toBe('prepared\n');
      expect(sandbox.kubectl(['logs', 'full', '-c', 'helper'])).toBe('helper runs\n');
      expect(sandbox.kubectl(['get', 'pod', 'full', '--no-headers'])).toMatch(/2\/2\s+Running/);
    });

    test('variables, single files, tokens for an audience and labels arrive where they were asked for', () => {
      expect(sandbox.kubectl(['logs', 'full', '-c', 'app'])).toBe('hello from blue\n');
      expect(inApp('cat /etc/color')).toBe('blue');
      expect(inApp('cat /identity/labels')).toBe('tier="front"');
      const [, payload = ''] = inApp('cat /identity/token').split('.');
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
      expect(claims).toMatchObject({
        aud: ['istio-ca'],
        sub: 'system:serviceaccount:default:default',
      });
    });

    test('the program runs as the user asked for, without capabilities', () => {
      expect(inApp('id -u; id -g; grep CapBnd /proc/self/status')).toBe(
        '1234\n99\nCapBnd:\t0000000000000000\n',
      );
    });

    test('a changed ConfigMap reaches the volume of a running pod', async () => {
      const mounted = `
apiVersion: v1
kind: Pod
metadata: { name: reader }
spec:
  containers: [{ name: app, image: pause, volumeMounts: [{ name: settings, mountPath: /settings }] }]
  volumes: [{ name: settings, configMap: { name: settings } }]`;
      sandbox.kubectl(['apply', '-f', '-'], mounted);
      sandbox.kubectl(['wait', '--for=condition=Ready', 'pod/reader', '--timeout=30s']);
      const read = (): string =>
        sandbox.kubectl(['exec', 'reader', '--', 'cat', '/settings/color']);
      expect(read()).toBe('blue');
      sandbox.kubectl(['patch', 'configmap', 'settings', '-p', '{"data":{"color":"red"}}']);
      await eventually(() => read() === 'red', { timeoutMs: 20_000, what: 'the new color' });
      sandbox.kubectl(['delete', 'pod', 'reader', '--grace-period=0', '--force']);
    });

    test('a container gets no more memory and processor time than its limits', async () => {
      sandbox.kubectl(['apply', '-f', '-'], LIMITED);
      const status = (field: string): string =>
        sandbox.kubectl([
          'get',
          'pod',
          'greedy',
          '-o',
          `jsonpath={.status.containerStatuses[0]${field}}`,
        ]);
      await eventually(() => Number(status('.restartCount') || 0) > 0, { timeoutMs: 30_000 });
      const { reason, exitCode } = JSON.parse(status('.lastState.terminated'));
      expect({ reason, exitCode }).toEqual({ reason: 'OOMKilled', exitCode: 137 });
      const pid = sandbox.kubectl(['logs', 'greedy', '-c', 'processor']).trim();
      // Below whatever group this test itself runs in.
      const [, path] = /^\d+:(?:cpu(?:,cpuacct)?)?:.*(\/aquifer\/.*)$/m.exec(
        readFileSync(`/proc/${pid}/cgroup`, 'utf8'),
      )!;
      const root = ['cpu', '']
        .map((name) => `/sys/fs/cgroup/${name}`)
        .find((each) => existsSync(`${each}${path}`));
      const throttled = (): number =>
        Number(/^nr_throttled (\d+)$/m.exec(readFileSync(`${root}${path}/cpu.stat`, 'utf8'))?.[1]);
      await eventually(() => throttled() > 0, { what: 'a container that wants more time' });
    });

    test('kubectl top tells what pods and nodes use', async () => {
      const top = (...args: string[]): string => sandbox.kubectl(['top', ...args, '--no-headers']);
      const rows = await eventually(
        () => {
          const text = top('pod', 'greedy', '--containers');
          return /processor +[1-9]\d*m +\d+Mi/.test(text) ? text : null;
        },
        { timeoutMs: 20_000 },
      );
      const [, processor = ''] = /processor +(\d+)m/.exec(rows) ?? [];
      // It would use a whole processor if it could; the first window is short, and a period of the quota more may be in it.
      expect(Number(processor)).toBeLessThan(300);
      expect(top('nodes').match(/^node-\d +\d+m +\d+% +\d+Mi +\d+%/gm)).toHaveLength(2);
      expect(sandbox.kubectl(['get', 'podmetrics', 'greedy'])).toMatch(/NAME +CPU +MEMORY +WINDOW/);
      sandbox.kubectl(['delete', 'pod', 'greedy', '--timeout=30s']);
    });

    test('a HorizontalPodAutoscaler gives a busy workload more pods, up to its maximum', async () => {
      sandbox.kubectl(['apply', '-f', '-'], BUSY);
      sandbox.kubectl(['autoscale', 'deployment/busy', '--cpu=50%', '--min=1', '--max=3']);
      sandbox.kubectl([
        'wait',
        '--for=jsonpath={.status.readyReplicas}=3',
        'deployment/busy',
        '--timeout=60s',
      ]);
      const described = sandbox.kubectl(['describe', 'hpa', 'busy']);
      expect(described).toMatch(/ScalingActive +True +ValidMetricFound/);
      expect(described).toMatch(
        /SuccessfulRescale .*New size: 3; reason: cpu resource utilization/,
      );
      expect(sandbox.kubectl(['get', 'hpa', 'busy'])).toMatch(/cpu: [1-9]\d*%\/50% +1 +3 +3/);
      sandbox.kubectl(['delete', 'hpa/busy', 'deployment/busy', '--timeout=30s']);
    });

    test('the pods of a StatefulSet find their files again, each its own, as long as the claims are there', async () => {
      const starts = (pod: string): string =>
        sandbox.kubectl(['exec', pod, '--', 'cat', '/data/starts']);
      sandbox.kubectl(['apply', '-f', '-'], DATABASE);
      sandbox.kubectl(['rollout', 'status', 'statefulset/db', '--timeout=30s']);
      expect(starts('db-0')).toBe('db-0\n');
      expect(starts('db-1')).toBe('db-1\n');
      sandbox.kubectl(['delete', 'pod', 'db-1', '--timeout=30s']);
      await eventually(() => starts('db-1') === 'db-1\ndb-1\n', { timeoutMs: 30_000 });
      const volume = sandbox.kubectl(['get', 'pvc/data-db-1', '-o', 'jsonpath={.spec.volumeName}']);
      const path = sandbox.kubectl(['get', `pv/${volume}`, '-o', 'jsonpath={.spec.hostPath.path}']);
      expect(readFileSync(join(path, 'deep/file'), 'utf8')).toBe('done\ndone\n');
      sandbox.kubectl(['delete', 'statefulset/db', '--timeout=30s']);
      sandbox.kubectl(['delete', 'pvc', '--all', '--timeout=30s']);
      await eventually(() => !existsSync(path));
    });

    test('a deleted pod runs its hook, hears SIGTERM, and its sidecar ends after it', async () => {
      const logs = (container: string): Promise<string> =>
        sandbox.kubectlAsync(['logs', 'full', '-c', container, '--follow']);
      const followed = Promise.all([logs('app'), logs('helper')]);
      const startedAt = Date.now();
      await sandbox.kubectlAsync(['delete', 'pod', 'full', '--timeout=30s']);
      const [app, helper] = await followed;
      expect(Date.now() - startedAt).toBeGreaterThan(500);
      expect(app).toContain('app ends');
      expect(helper).toContain('helper ends');
    });

    test('run -i of programs that end while they are attached to ends, too', async () => {
      const how = ['-i', '--rm', '--restart=Never', '--image=busybox', '--quiet'];
      for (const [index, seconds] of ['0', '0', '0.02', '0.04', '0.06'].entries())
        await sandbox.kubectlAsync(['run', `brief-${index}`, ...how, '--', 'sleep', seconds]);
      expect(sandbox.kubectl(['get', 'pods', '-l', 'run', '--no-headers'])).toBe('');
    });

    test('a Job runs until it is complete', () => {
      sandbox.kubectl(['apply', '-f', '-'], JOB);
      sandbox.kubectl(['wait', '--for=condition=Complete', 'job/count', '--timeout=30s']);
      expect(sandbox.kubectl(['logs', 'job/count'])).toContain('counted');
    });

    test('Jobs know their index, end at their deadline and go when they said; CronJobs run again and again', async () => {
      sandbox.kubectl(['apply', '-f', '-'], JOBS);
      const field = (job: string, path: string): string =>
        sandbox.kubectl(['get', job, '-o', `jsonpath={.status.${path}}`]);
      sandbox.kubectl(['wait', '--for=condition=Complete', 'job/parts', '--timeout=30s']);
      expect(field('job/parts', 'completedIndexes')).toBe('0-2');
      const logs = sandbox.kubectl(['logs', '-l', 'job-name=parts', '--tail=1']);
      expect(logs.trim().split('\n').sort()).toEqual(
        [0, 1, 2].map((index) => `part ${index} on parts-${index}`),
      );
      sandbox.kubectl(['wait', '--for=condition=Failed', 'job/endless', '--timeout=30s']);
      expect(field('job/endless', 'conditions[?(@.type=="Failed")].reason')).toBe(
        'DeadlineExceeded',
      );
      await eventually(() => sandbox.kubectl(['get', 'pods', '-l', 'job-name=endless']) === '');
      sandbox.kubectl(['wait', '--for=delete', 'job/parts', '--timeout=30s']);
      const runs = (): string[] =>
        sandbox.kubectl(['get', 'jobs', '-l', 'run-by=often', '-o', 'name']).trim().split('\n');
      const first = runs();
      await eventually(() => field('cronjob/often', 'lastSuccessfulTime') !== '');
      await eventually(() => runs().every((run) => run !== '' && !first.includes(run)), {
        timeoutMs: 20_000,
        what: 'later runs, and none of the first',
      });
      sandbox.kubectl(['delete', 'cronjob/often', '--timeout=30s']);
      await eventually(() => runs().join('') === '');
    });
  },
);
