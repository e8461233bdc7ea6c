import type { Namespace, Pod } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { isEnrolled } from './enrolled-pods.ts';

const SETTINGS = { systemNamespace: 'istio-system', excludeNamespaces: ['kube-system'] };
const AMBIENT = { 'istio.io/dataplane-mode': 'ambient' };
const NONE = { 'istio.io/dataplane-mode': 'none' };

interface Given {
  readonly pod?: Record<string, string>;
  readonly namespace?: Record<string, string>;
  readonly in?: string;
  readonly annotations?: Record<string, string>;
  readonly hostNetwork?: boolean;
  readonly phase?: string;
}

function decide(given: Given): boolean {
  const {
    pod = {},
    namespace = {},
    annotations = {},
    hostNetwork = false,
    phase = 'Running',
  } = given;
  const name = given.in ?? 'shop';
  return isEnrolled(
    {
      metadata: { namespace: name, name: 'p', labels: pod, annotations },
      spec: { hostNetwork },
      status: { phase },
    } as Pod,
    { metadata: { name, labels: namespace } } as Namespace,
    SETTINGS,
  );
}

test.for<Given & { readonly what: string; readonly enrolled: boolean }>([
  { what: 'no label anywhere', enrolled: false },
  { what: 'a labelled namespace', namespace: AMBIENT, enrolled: true },
  { what: 'a labelled pod in a plain namespace', pod: AMBIENT, enrolled: true },
  { what: 'an opted-out pod', namespace: AMBIENT, pod: NONE, enrolled: false },
  {
    what: 'an odd label on the pod',
    namespace: AMBIENT,
    pod: { 'istio.io/dataplane-mode': 'x' },
    enrolled: true,
  },
  {
    what: 'an odd label on the namespace',
    namespace: { 'istio.io/dataplane-mode': 'Ambient' },
    enrolled: false,
  },
  { what: 'a pod on the host network', namespace: AMBIENT, hostNetwork: true, enrolled: false },
  {
    what: 'a pod with a sidecar',
    namespace: AMBIENT,
    annotations: { 'sidecar.istio.io/status': '{}' },
    enrolled: false,
  },
  {
    what: 'a static pod, which has no identity',
    namespace: AMBIENT,
    pod: AMBIENT,
    annotations: { 'kubernetes.io/config.mirror': '7b1c' },
    enrolled: false,
  },
  { what: 'an excluded namespace', in: 'kube-system', pod: AMBIENT, enrolled: false },
  { what: 'a finished pod', namespace: AMBIENT, phase: 'Succeeded', enrolled: false },
  { what: 'a pending pod', namespace: AMBIENT, phase: 'Pending', enrolled: true },
  {
    what: 'a ztunnel pod',
    in: 'istio-system',
    namespace: AMBIENT,
    pod: { app: 'ztunnel' },
    enrolled: false,
  },
])('$what: captured is $enrolled (P147)', ({ enrolled, ...given }) => {
  expect(decide(given)).toBe(enrolled);
});
