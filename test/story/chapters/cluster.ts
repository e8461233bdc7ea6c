import { is } from '../bounds.ts';
import { type Chapter, claim, step } from '../chapter.ts';

/** The first: without it nothing else can be told. */
export const CLUSTER: Chapter = {
  title: 'A Kubernetes cluster of two nodes on this machine, with the mesh',
  says: 'Real pods in network namespaces of Linux, a Kubernetes API, and the control plane and node proxies of the mesh.',
  parts: [
    step((stage) => stage.bringUp()),
    claim(
      'both nodes and every pod of the mesh are ready',
      async ({ shop }) => ({
        nodes: await shop.ready('nodes'),
        mesh: await shop.ready('pods', '-n', 'istio-system'),
      }),
      {
        says: 'two nodes, and a control plane and two node proxies that are ready',
        holds: ({ nodes, mesh }) => {
          const all = [...nodes, ...mesh];
          return nodes.length === 2 && mesh.length >= 3 && all.every(({ isReady }) => isReady);
        },
        shown: ({ nodes, mesh }) => `${nodes.length} nodes, ${mesh.length} pods`,
      },
    ),
  ],
};

/** The last. */
export const SANDBOX_GOES: Chapter = {
  title: 'The sandbox goes',
  says: 'Everything that it made is removed again.',
  parts: [
    step(async (stage) => {
      await stage.takeDown();
    }),
    claim(
      'no namespace, link, route, rule, mount, cgroup, process or file in /run is left behind',
      (stage) => stage.leftBehind(),
      is({}),
    ),
  ],
};
