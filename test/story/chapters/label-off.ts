import { atLeast, is, nothingFailed, same } from '../bounds.ts';
import { type Chapter, claim, step } from '../chapter.ts';
import type { HeldLines } from '../held-connection.ts';
import { captureLink } from '../link-capture.ts';
import type { LoadResult } from '../request-load.ts';
import type { PodInfo } from '../shop.ts';
import { MARKED, onTheLink, showLink } from './on-the-link.ts';
import { CAPTURED } from './one-label.ts';

export function labelOff(): Chapter {
  let before: PodInfo;
  let load: LoadResult;
  let kept: HeldLines;
  let isReadable: boolean;
  return {
    title: '7. The label comes off',
    says: 'The pods are let go as they were taken: while they work.',
    parts: [
      step(async (stage) => {
        const { shop } = stage;
        before = await shop.pod('server');
        // Not the client's: what the L7 policy denies it is, on a TCP port, everything.
        const held = await stage.hold('other');
        load = await shop.requestsWhile('client', async () => {
          await stage.kubectl('label', 'namespace', 'shop', 'istio.io/dataplane-mode-');
          await shop.untilRedirection(null, CAPTURED);
          // Looked at once: a proxy that a pod has left carries what is open for five seconds.
          kept = await held.finish();
        });
      }),
      claim('no new connection fails while the pods are let go', () => load, nothingFailed),
      claim('what was open goes on meanwhile', () => kept.lines, atLeast(2, 'lines came back')),
      claim(
        'the server is the same pod, and not restarted',
        async ({ shop }) => ({
          found: await shop.pod('server'),
          wanted: { ...before, redirection: null },
        }),
        same,
      ),
      step(async (stage) => {
        const { packets } = await captureLink('node-1', () => stage.request('other', MARKED));
        const seen = onTheLink(packets, before.ip);
        showLink(stage, seen);
        isReadable = seen.isReadable;
      }),
      claim('requests are in plain text on the link again', () => isReadable, is(true)),
    ],
  };
}
