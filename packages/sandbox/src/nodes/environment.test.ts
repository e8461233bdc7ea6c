import type { Container } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { commandLine, containerEnvironment, expandReferences } from './environment.ts';
import { asNodePod } from './node-pod.ts';

const pod = asNodePod({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'echo', namespace: 'shop', uid: 'u', labels: { app: 'echo' } },
  spec: { nodeName: 'node-1', serviceAccountName: 'echo', containers: [] },
  status: { podIP: '10.244.1.2', hostIP: '10.245.0.1' },
});

function environmentOf(
  container: Omit<Container, 'name'>,
): ReturnType<typeof containerEnvironment> {
  return containerEnvironment({
    pod,
    container: { name: 'app', ...container },
    hostname: 'echo',
    image: { FROM_IMAGE: 'yes' },
    capacity: { cpu: 4, memoryBytes: 2 ** 30 },
    source: {
      data: async (kind, namespace, name) =>
        namespace === 'shop' && name === 'settings' ? { [kind]: Buffer.from('value') } : null,
    },
  });
}

test.for([
  { text: '$(A)-$(B)', becomes: '1-$(B)', why: 'unknown names stay' },
  { text: '$$(A)', becomes: '$(A)', why: 'a doubled dollar is a literal one' },
  { text: '$A $(A', becomes: '$A $(A', why: 'shell forms are not references' },
])('$text becomes $becomes: $why', ({ text, becomes }) => {
  expect(expandReferences(text, { A: '1' })).toBe(becomes);
});

test('variables come from the pod, the limits, ConfigMaps and Secrets, and refer to earlier ones', async () => {
  const environment = await environmentOf({
    resources: { limits: { cpu: '1500m', memory: '64Mi' } },
    envFrom: [{ prefix: 'P_', configMapRef: { name: 'settings' } }],
    env: [
      { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      { name: 'APP', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
      { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
      {
        name: 'MEMORY',
        valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } },
      },
      { name: 'SECRET', valueFrom: { secretKeyRef: { name: 'settings', key: 'secret' } } },
      { name: 'URL', value: 'http://$(NODE)/$(APP)' },
    ],
  });
  expect(environment).toMatchObject({
    ok: true,
    value: {
      P_configmap: 'value',
      NODE: 'node-1',
      APP: 'echo',
      CPU: '2',
      MEMORY: '64',
      SECRET: 'value',
      URL: 'http://node-1/echo',
      FROM_IMAGE: 'yes',
      HOSTNAME: 'echo',
      KUBERNETES_SERVICE_HOST: '10.96.0.1',
    },
  });
});

test('a missing ConfigMap or key is named as the kubelet names it, unless it is optional', async () => {
  const reference = { name: 'none', key: 'k' };
  expect(
    await environmentOf({ env: [{ name: 'A', valueFrom: { configMapKeyRef: reference } }] }),
  ).toEqual({ ok: false, error: 'configmap "none" not found' });
  const absent = { name: 'settings', key: 'k' };
  expect(
    await environmentOf({ env: [{ name: 'A', valueFrom: { secretKeyRef: absent } }] }),
  ).toEqual({ ok: false, error: "couldn't find key k in Secret shop/settings" });
  const optional = { ...reference, optional: true };
  expect(
    await environmentOf({ env: [{ name: 'A', valueFrom: { configMapKeyRef: optional } }] }),
  ).toMatchObject({ ok: true });
});

test('command replaces the entrypoint and the default arguments, args the arguments alone', () => {
  const image = { entrypoint: ['/entry'], args: ['serve'] };
  const run = (container: Partial<Container>): readonly string[] =>
    commandLine({ name: 'app', ...container }, image, { PORT: '80' });
  expect(run({})).toEqual(['/entry', 'serve']);
  expect(run({ args: ['--port=$(PORT)'] })).toEqual(['/entry', '--port=80']);
  expect(run({ command: ['sh'] })).toEqual(['sh']);
});
