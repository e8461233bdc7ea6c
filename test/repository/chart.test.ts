import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { chooseValues } from '../../packages/cli/src/installation/chosen-values.ts';
import {
  defaultValues,
  objectKey,
  renderManifests,
} from '../../packages/cli/src/installation/render.ts';
import { chartFileOnDisk, chartFiles } from '../generate/chart.ts';
import { commandPath } from '../story/kubectl.ts';

const chart = join(import.meta.dirname, '../../deploy/chart');
const env = { ...process.env, PATH: commandPath(process.env) };
const hasHelm = spawnSync('helm', ['version'], { env }).status === 0;
const directory = mkdtempSync(join(tmpdir(), 'aquifer-chart-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Values, as a user would write them into a file. */
const CHOICES: Readonly<Record<string, object>> = {
  'nothing chosen': {},
  'images of a registry by tag and by digest': {
    global: {
      hub: 'registry.example.com/mesh',
      tag: 'v1',
      imagePullPolicy: 'Always',
      imagePullSecrets: ['registry', 'other'],
      proxy: { image: 'registry.example.com/mesh/waypoint@sha256:0123' },
    },
    ztunnel: { image: 'registry.example.com/mesh/ztunnel@sha256:4567' },
  },
  'everything of the control plane': {
    meshConfig: {
      accessLogFile: '/dev/stdout',
      defaultConfig: { holdApplicationUntilProxyStarts: true },
    },
    global: { multiCluster: { clusterName: 'east' } },
    pilot: {
      replicaCount: 3,
      resources: { requests: { cpu: '500m' }, limits: { memory: '1Gi' } },
      env: { LOG_LEVEL: 'debug', B: '1', A: 'true' },
      nodeSelector: { pool: 'mesh' },
      tolerations: [{ key: 'mesh', operator: 'Exists' }],
      affinity: { nodeAffinity: {} },
      podAnnotations: { 'example.com/a.b': 'c' },
      podLabels: { team: 'mesh' },
    },
  },
  'everything of ztunnel': {
    ztunnel: {
      resources: { requests: { memory: '64Mi' } },
      env: { PACKET_MARK: '7' },
      nodeSelector: { pool: 'mesh' },
      tolerations: [],
      affinity: { podAffinity: {} },
      podAnnotations: { a: 'b' },
      podLabels: { a: 'b' },
      terminationGracePeriodSeconds: 90,
      logLevel: 'info,dns=debug',
    },
  },
};

test('the chart is what npm run generate writes', () => {
  for (const [name, text] of chartFiles())
    expect([name, chartFileOnDisk(name)]).toEqual([name, text]);
});

describe.skipIf(!hasHelm)('helm, where it is installed', () => {
  test.each(Object.entries(CHOICES))('renders what aquifer install applies: %s', (name, values) => {
    const file = valuesFile(name, values);
    const manifests = renderManifests(chooseValues(defaultValues(), {}, [file], []));
    const applied = [...manifests.controlPlane, ...manifests.nodeProxies].filter(
      ({ kind }) => kind !== 'Namespace',
    );
    const byKey = (objects: readonly object[]) =>
      Object.fromEntries(objects.map((object) => [objectKey(object), meshParsed(object)]));
    expect(byKey(rendered(file))).toEqual(byKey(applied));
  });

  test('brings the custom resources', () => {
    const objects = rendered(valuesFile('none', {}), '--include-crds');
    expect(byKind(objects, 'CustomResourceDefinition')).toEqual(
      renderManifests(chooseValues(defaultValues(), {}, [], []))
        .definitions.map(objectKey)
        .toSorted(),
    );
  });

  test('a value that does not exist, or of another type, is refused', () => {
    expect(refused('pilot.replicas=2')).toContain("additional properties 'replicas' not allowed");
    expect(refused('pilot.replicaCount=many')).toContain('got string, want integer');
    expect(refused('ztunnel.tolerations=x')).toContain('got string, want array');
  });

  test('another namespace than the one where proxies look is refused', () => {
    const { status, stderr } = spawnSync('helm', ['template', 'mesh', chart, '-n', 'mesh'], {
      env,
      encoding: 'utf8',
    });
    expect(status).not.toBe(0);
    expect(stderr).toContain('proxies look for the control plane in istio-system');
  });
});

function valuesFile(name: string, values: object): string {
  const file = join(directory, `${name}.yaml`);
  writeFileSync(file, stringify(values));
  return file;
}

function rendered(file: string, ...options: string[]): { kind?: string; metadata?: object }[] {
  const command = ['template', 'mesh', chart, '-n', 'istio-system', '-f', file, ...options];
  const text = execFileSync('helm', command, {
    env,
    encoding: 'utf8',
    stdio: 'pipe',
    maxBuffer: 1e8,
  });
  return parseAllDocuments(text)
    .map((document) => document.toJS() as { kind?: string } | null)
    .filter((object) => object !== null);
}

/** Text within an object is compared by what it says. */
function meshParsed(object: object): object {
  const { data } = object as { data?: { mesh: string } };
  return data === undefined ? object : { ...object, data: parseAllDocuments(data.mesh)[0]!.toJS() };
}

function byKind(objects: readonly object[], kind: string): string[] {
  return objects
    .map((object) => objectKey(object))
    .filter((key) => key.startsWith(`${kind}/`))
    .toSorted();
}

function refused(assignment: string): string {
  const command = ['template', 'mesh', chart, '-n', 'istio-system', '--set', assignment];
  const { status, stderr } = spawnSync('helm', command, { env, encoding: 'utf8' });
  expect(status).not.toBe(0);
  return stderr;
}
