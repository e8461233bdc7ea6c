import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { sandboxObstacle } from '../fixtures/sandbox.ts';
import { type Claim, isClaim } from '../story/chapter.ts';
import { chapters, END } from '../story/chapters/index.ts';
import { Narrator } from '../story/narrator.ts';
import { Stage } from '../story/stage.ts';
import { Telling } from '../story/telling.ts';

/** The story that `npm run demo` tells: each of its claims is a test, and goes on where the one before ended. */
const obstacle = sandboxObstacle();
const STORY = [...chapters(), END];
/** Of what was told before a claim that does not hold. */
const SHOWN_LINES = 60;

/** Rows of docs/conformance, by the claims that show them. */
const ROWS: Readonly<Record<string, string>> = {
  'the pods are the same, and not restarted': '(P148)',
  'with STRICT it is refused': '(L159)',
  'no new connection fails while the pods are let go': '(P150)',
};

const parent = mkdtempSync(join(tmpdir(), 'aquifer-story-'));
const told: string[] = [];
const stage = new Stage({
  narrator: new Narrator({ write: (text: string) => told.push(text) }),
  // Whoever runs this keeps the context of their own kubectl.
  env: {
    ...process.env,
    KUBECONFIG: join(parent, 'contexts'),
    SANDBOX_DATA_DIR: join(parent, 'data'),
  },
  kubeconfig: join(parent, 'data', 'kubeconfig'),
  up: ['--port', '0'],
});
const telling = new Telling(stage, STORY);

function named({ claim }: Claim): string {
  const row = ROWS[claim];
  return row === undefined ? claim : `${claim} ${row}`;
}

describe.skipIf(obstacle !== null)(`the story${obstacle ? `: ${obstacle}` : ''}`, () => {
  afterAll(async () => {
    // It is down already, unless the story broke off.
    await stage.takeDown().catch(() => undefined);
    rmSync(parent, { recursive: true, force: true });
  });

  describe.for(STORY)('$title', ({ parts }) => {
    test.for(parts.filter(isClaim).map((claim) => ({ claim, name: named(claim) })))(
      '$name',
      { timeout: 300_000 },
      async ({ claim }) => {
        const { problem } = await telling.verdictOn(claim);
        if (problem !== null) console.log(told.join('').split('\n').slice(-SHOWN_LINES).join('\n'));
        expect(problem).toBeNull();
      },
    );
  });
});

test('rows are named by claims that the story makes', () => {
  const claims = telling.claims.map(({ claim }) => claim);
  expect(Object.keys(ROWS).filter((claim) => !claims.includes(claim))).toEqual([]);
  expect(new Set(claims).size).toBe(claims.length);
});
