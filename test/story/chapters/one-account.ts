import { eventually } from '../../fixtures/eventually.ts';
import { atLeast, is, withinASecond } from '../bounds.ts';
import { type Chapter, claim, step } from '../chapter.ts';
import type { HeldConnection, HeldLines } from '../held-connection.ts';
import { ALLOW_CLIENT } from '../manifests.ts';
import type { Shop } from '../shop.ts';
import { REFUSED } from './strict.ts';

const CUT_DEADLINE_MS = 10_000;
const OTHER = 'src.identity="spiffe://cluster.local/ns/shop/sa/other"';
const POLICY = 'policy="shop/only-client"';
const WHY = {
  cut: 'closed due to policy change',
  refused: 'policy rejection: allow policies exist, but none allowed',
} as const;

/** What the node proxy of the server says of the other client: who it is, which policy decided, and why. */
async function logged(shop: Shop, why: string): Promise<string[]> {
  const line = await eventually(
    async () => (await shop.ztunnelLog('node-2', [OTHER, POLICY, why])).at(-1),
    { what: `"${why}" in the log` },
  );
  return [...(line.match(/(src\.identity|policy|error)="[^"]*"/g) ?? [])];
}

export function oneAccount(): Chapter {
  let cutAfterMs: number | null;
  let kept: HeldLines;
  let refusal: string[];
  return {
    title: '4. One service account is allowed',
    says: 'A policy names accounts, not addresses; it also ends connections that it no longer allows.',
    parts: [
      claim(
        'without a policy the other client may call',
        ({ shop }) => shop.status('other'),
        is('200'),
      ),
      step(async (stage) => {
        const other: HeldConnection = await stage.hold('other');
        const allowed = await stage.hold('client');
        await stage.apply(ALLOW_CLIENT);
        const appliedAtMs = Date.now();
        const cutAtMs = await other.cutAtMs(CUT_DEADLINE_MS);
        cutAfterMs = cutAtMs === null ? null : Math.max(0, cutAtMs - appliedAtMs);
        kept = await allowed.finish();
      }),
      claim(
        'its open connection is cut within a second after kubectl returned',
        () => ({
          tookMs: cutAfterMs ?? Number.POSITIVE_INFINITY,
          slowestAnswerMs: kept.slowestAnswerMs,
        }),
        withinASecond,
      ),
      claim('its new connections are refused', ({ shop }) => shop.status('other'), is(REFUSED)),
      claim(
        'the open connection of the allowed client goes on',
        () => kept.lines,
        atLeast(2, 'lines came back'),
      ),
      claim('so do its new ones', ({ shop }) => shop.status('client'), is('200')),
      step(async ({ narrator, shop }) => {
        narrator.typed('kubectl logs -n istio-system -l app=ztunnel | grep policy');
        refusal = await logged(shop, WHY.refused);
        narrator.cameBack(refusal.join('\n'));
      }),
      claim(
        'the log says which policy refused whom, and why',
        () => refusal,
        is([OTHER, POLICY, `error="connection closed due to ${WHY.refused}"`]),
      ),
      claim(
        'and which policy cut what was open',
        ({ shop }) => logged(shop, WHY.cut),
        is([OTHER, POLICY, `error="connection ${WHY.cut}"`]),
      ),
    ],
  };
}
