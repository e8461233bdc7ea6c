/**
 * 79 recorded conversations between kubectl and a real kube-apiserver, held again with ours: same commands in the same
 * order, same output but for what differs from run to run. Without nodes, as in the recording.
 */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type KubectlCluster,
  startKubectlCluster,
} from '../../../test/fixtures/kubectl-cluster.ts';
import { findKubectl } from '../../../test/setup/find-kubectl.ts';
import type { ClusterClient } from './cluster-client.ts';

const RECORDINGS = join(import.meta.dirname, '../../../test/fixtures/golden/kubectl');

interface Conversation {
  readonly command: string;
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Its lines are in the order of the names of replica sets, which are made up. */
const LINES_IN_ANY_ORDER = '71-get-events';

const pods = { group: '', version: 'v1', plural: 'pods' };
const namespaces = { group: '', version: 'v1', plural: 'namespaces' };

/** Between 15 and 16 the recording patched one pod's status by hand. */
async function makeFirstPodReady(client: ClusterClient): Promise<void> {
  await expect.poll(async () => (await client.list(pods, { namespace: 'shop' })).length).toBe(2);
  const [pod] = await client.list(pods, { namespace: 'shop' });
  const startedAt = '2026-11-21T10:00:00Z';
  await client.updateStatus(pods, {
    ...pod!,
    status: {
      phase: 'Running',
      qosClass: 'BestEffort',
      hostIP: '192.0.2.1',
      podIP: '10.1.0.5',
      podIPs: [{ ip: '10.1.0.5' }],
      startTime: startedAt,
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: startedAt }],
      containerStatuses: [
        {
          name: 'echo',
          ready: true,
          started: true,
          restartCount: 0,
          image: 'aquifer/echo:1',
          imageID: '',
          containerID: 'x://1',
          state: { running: { startedAt } },
        },
      ],
    },
  });
}

const varying: readonly (readonly [RegExp, string])[] = [
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UID'],
  [/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( \+0000|Z)?/g, 'TIME'],
  [/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000/g, 'TIME'],
  [/resourceVersion(\\*": ?\\*"|: ")\d+/g, 'resourceVersion$1N'],
  [/\b\d+(m\d+)?s\b/g, 'AGE'],
  [/10\.96\.\d+\.\d+/g, 'CLUSTER-IP'],
  [/https?:\/\/127\.0\.0\.1:\d+/g, 'URL'],
  [/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, '<JWT>'],
  [/\S*\/(LIVE|MERGED)-\d+/g, '$1'],
  [/echo-[a-z0-9]{8,10}-[a-z0-9]{5}\b/g, 'echo-POD'],
  [/echo-[a-z0-9]{8,10}\b/g, 'echo-REPLICAS'],
  [/echo-[a-z0-9]{5}\b/g, 'echo-SLICE'],
  [/pod-template-hash([=:]) ?[a-z0-9]+/g, 'pod-template-hash$1HASH'],
  [/ \(x\d+ over AGE\)/g, ''],
  [/ +/g, ' '],
];

function normalise(text: string): string {
  return varying.reduce((result, [pattern, by]) => result.replaceAll(pattern, by), text).trim();
}

const kubectl = findKubectl();

describe.skipIf(kubectl === null)('kubectl answers as with a real API server', () => {
  let cluster: KubectlCluster;

  beforeAll(async () => {
    cluster = await startKubectlCluster();
    const { api, directory } = cluster;
    await api.client.create(namespaces, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'istio-system' },
    });
    // The recording's program was called kubectl137, and so is its field manager.
    symlinkSync(kubectl ?? '', join(directory, 'kubectl137'));
    const wrapper = `#!/bin/sh\nexec ${directory}/kubectl137 "$@"\n`;
    writeFileSync(join(directory, 'kubectl'), wrapper, { mode: 0o755 });
  });

  afterAll(() => cluster[Symbol.asyncDispose]());

  function run(command: string): Promise<Conversation> {
    const { promise, resolve } = Promise.withResolvers<Conversation>();
    const { directory, kubeconfig } = cluster;
    const env = {
      HOME: directory,
      PATH: `${directory}:${process.env.PATH}`,
      KUBECONFIG: kubeconfig,
      TMPDIR: directory,
    };
    execFile('sh', ['-c', command], { cwd: RECORDINGS, env }, (error, stdout, stderr) => {
      resolve({ command, exit: Number(error?.code ?? 0), stdout, stderr });
    });
    return promise;
  }

  const files = readdirSync(RECORDINGS).filter((name) => name.endsWith('.json'));

  test.for(files)('%s', { timeout: 20_000 }, async (file) => {
    const recorded = JSON.parse(readFileSync(join(RECORDINGS, file), 'utf8')) as Conversation;
    const name = file.replace('.json', '');
    if (name === '16-apply-unchanged') await makeFirstPodReady(cluster.api.client);
    const answer = await run(recorded.command);
    const shown = ({ exit, stdout, stderr }: Conversation): unknown[] => {
      const lines = normalise(stdout).split('\n');
      return [exit, name === LINES_IN_ANY_ORDER ? lines.toSorted() : lines, normalise(stderr)];
    };
    expect(shown(answer)).toEqual(shown(recorded));
  });
});
