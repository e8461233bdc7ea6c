import { expect, test } from 'vitest';
import {
  type CaptureAction,
  type HeldNamespace,
  type ObservedNamespace,
  planCapture,
} from './capture-plan.ts';
import type { EnrolledPod } from './enrolled-pod.ts';
import type { PodProcesses } from './node-scan.ts';

const UID = 'a3c2';
const ADDRESS = '10.50.0.7';

function aPod(change: Partial<EnrolledPod> = {}): EnrolledPod {
  return {
    uid: UID,
    namespace: 'shop',
    name: 'server',
    serviceAccount: 'server',
    addresses: [ADDRESS],
    bypassInbound: false,
    captureDns: true,
    cgroupIds: [UID],
    ...change,
  };
}

function processes(cgroupId: string, since: number): PodProcesses {
  return { cgroupId, since, isAnnounced: false };
}

function aNamespace(change: Partial<ObservedNamespace> = {}): ObservedNamespace {
  return {
    inode: 1,
    pods: [processes(UID, 100)],
    addresses: new Set(['127.0.0.1', ADDRESS]),
    isMarked: false,
    generation: 5,
    ...change,
  };
}

/** A sandbox without a process. */
function announced(inode: number): ObservedNamespace {
  const pods = [{ cgroupId: UID, since: 0, isAnnounced: true }];
  return aNamespace({ inode, pods, addresses: new Set() });
}

const CAPTURED = aNamespace({ isMarked: true });

function held(change: Partial<HeldNamespace> = {}): HeldNamespace {
  return { inode: 1, pod: aPod(), generation: 5, ...change };
}

interface Case {
  readonly what: string;
  readonly wanted?: readonly EnrolledPod[];
  readonly namespaces?: readonly ObservedNamespace[];
  readonly held?: readonly HeldNamespace[];
  /** `kind inode`, or the reason of a wait. */
  readonly actions: readonly string[];
}

test.for<Case>([
  { what: 'nothing wanted, nothing there', wanted: [], namespaces: [], actions: [] },
  { what: 'a new pod is captured', actions: ['capture 1'] },
  {
    what: 'a pod that an earlier process captured is taken over',
    namespaces: [CAPTURED],
    actions: ['capture 1'],
  },
  {
    what: 'a pod that is captured as it should be is left alone',
    namespaces: [CAPTURED],
    held: [held()],
    actions: [],
  },
  {
    what: 'rules that somebody has changed are written again',
    namespaces: [aNamespace({ isMarked: false, generation: 6 })],
    held: [held()],
    actions: ['capture 1'],
  },
  {
    what: 'rules that were flushed before this process had looked at what it wrote are written again',
    namespaces: [aNamespace({ isMarked: false })],
    held: [held()],
    actions: ['capture 1'],
  },
  {
    what: 'a capture that has failed is tried again',
    namespaces: [CAPTURED],
    held: [held({ generation: null })],
    actions: ['capture 1'],
  },
  {
    what: 'another wish for plaintext changes the rules of a captured pod',
    wanted: [aPod({ bypassInbound: true })],
    namespaces: [CAPTURED],
    held: [held()],
    actions: ['capture 1'],
  },
  {
    what: 'a pod without a process has to wait',
    namespaces: [],
    actions: ['no process of the pod is running on this node'],
  },
  {
    what: 'a pod whose processes are on the network of the node has to wait',
    namespaces: [aNamespace({ addresses: new Set(['10.0.0.1']) })],
    actions: [`the pod's processes have none of the addresses ${ADDRESS}`],
  },
  {
    what: 'a captured pod without a process for a moment stays captured',
    namespaces: [{ ...CAPTURED, pods: [], addresses: new Set() }],
    held: [held()],
    actions: [],
  },
  {
    what: 'a pod that was made anew in another namespace is let go first',
    wanted: [aPod({ addresses: ['10.50.0.9'] })],
    namespaces: [
      { ...CAPTURED, pods: [] },
      aNamespace({ inode: 2, addresses: new Set(['10.50.0.9']) }),
    ],
    held: [held()],
    actions: ['abandon 1'],
  },
  {
    what: 'and then captured where it is now',
    wanted: [aPod({ addresses: ['10.50.0.9'] })],
    namespaces: [CAPTURED, aNamespace({ inode: 2, addresses: new Set(['10.50.0.9']) })],
    actions: ['capture 2'],
  },
  {
    what: 'of two namespaces with the address that of the oldest process is taken',
    namespaces: [aNamespace({ pods: [processes(UID, 200)] }), aNamespace({ inode: 2 })],
    actions: ['capture 2'],
  },
  {
    what: 'a static pod is found by the hash of its file',
    wanted: [aPod({ cgroupIds: [UID, 'f00d'] })],
    namespaces: [aNamespace({ pods: [processes('f00d', 100)] })],
    actions: ['capture 1'],
  },
  {
    what: 'a pod that has no address yet is captured where the runtime says it is',
    wanted: [aPod({ addresses: [] })],
    namespaces: [aNamespace({ pods: [], addresses: new Set() }), announced(2)],
    actions: ['capture 2'],
  },
  {
    what: 'a pod that has no address yet, and of which the runtime says nothing, is let be',
    wanted: [aPod({ addresses: [] })],
    namespaces: [aNamespace({ pods: [], addresses: new Set() })],
    actions: [],
  },
  {
    what: 'where the runtime says that a pod is counts more than where processes with its name are',
    namespaces: [aNamespace(), announced(2)],
    actions: ['capture 2'],
  },
  {
    what: 'a pod that is not wanted any more is released',
    wanted: [],
    namespaces: [CAPTURED],
    held: [held()],
    actions: ['release 1'],
  },
  {
    what: 'also one whose processes are gone',
    wanted: [],
    namespaces: [{ ...CAPTURED, pods: [], addresses: new Set() }],
    held: [held({ generation: null })],
    actions: ['release 1'],
  },
  {
    what: 'a pod that never got rules only loses its listeners',
    wanted: [],
    namespaces: [aNamespace()],
    held: [held({ generation: null })],
    actions: ['abandon 1'],
  },
  {
    what: 'rules of an earlier process are taken from a pod that nobody wants',
    wanted: [],
    namespaces: [{ ...CAPTURED, pods: [] }],
    actions: ['release-orphan 1'],
  },
  {
    what: 'but never from a wanted pod, even if it cannot be captured',
    namespaces: [{ ...CAPTURED, addresses: new Set() }],
    actions: [`the pod's processes have none of the addresses ${ADDRESS}`],
  },
  {
    what: 'a namespace without our rules is left alone',
    wanted: [],
    namespaces: [aNamespace({ pods: [] })],
    actions: [],
  },
])('$what', ({ wanted = [aPod()], namespaces = [aNamespace()], held: kept = [], actions }) => {
  const desired = new Map(wanted.map((pod) => [pod.uid, pod]));
  expect(planCapture(desired, namespaces, kept).map(inWords)).toEqual(actions);
});

function inWords(action: CaptureAction): string {
  return action.kind === 'wait' ? action.reason : `${action.kind} ${action.inode}`;
}
