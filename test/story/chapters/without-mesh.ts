import { is, same } from '../bounds.ts';
import { type Chapter, claim, step } from '../chapter.ts';
import { captureLink } from '../link-capture.ts';
import { SHOP } from '../manifests.ts';
import type { Echo, PodInfo } from '../shop.ts';
import { MARKED, onTheLink, showLink } from './on-the-link.ts';

export function withoutMesh(): Chapter {
  let client: PodInfo;
  let server: PodInfo;
  let echo: Echo;
  let seen: ReturnType<typeof onTheLink>;
  return {
    title: '1. Without a mesh',
    says: 'A client on one node calls a server on the other, as pods do.',
    parts: [
      step(async (stage) => {
        await stage.applyFile('client on node-1, server on node-2, a pod outside', SHOP);
        await stage.shop.untilDeployed();
        client = await stage.shop.pod('client');
        server = await stage.shop.pod('server');
        const { packets, result } = await captureLink('node-1', () =>
          stage.request('client', MARKED),
        );
        echo = result;
        seen = onTheLink(packets, server.ip);
      }),
      claim(
        'the pod of the server answers',
        () => ({ found: echo.pod, wanted: server.name }),
        same,
      ),
      claim(
        'it sees the address of the client',
        () => ({ found: echo.remoteAddress, wanted: client.ip }),
        same,
      ),
      step(async (stage) => showLink(stage, seen)),
      claim(
        'the link shows the request in plain text, on the port of the server',
        () => ({ ports: seen.ports, isReadable: seen.isReadable }),
        is({ ports: [8080], isReadable: true }),
      ),
    ],
  };
}
