import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { is } from '../bounds.ts';
import { type Bound, type Chapter, claim, step } from '../chapter.ts';
import { type ClusterEstimate, COMPARISON, problemsOfComparison } from '../comparison.ts';
import type { Stage } from '../stage.ts';

const REPORT_LINES = 40;

/** Shows the report of a saved comparison. */
async function report(stage: Stage, json: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'aquifer-story-'));
  try {
    const saved = join(directory, 'run.json');
    writeFileSync(saved, json);
    await stage.aquifer(['compare', 'report', saved], REPORT_LINES, 'compare report run.json');
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What `compare cluster` says of the story's two nodes, its waypoint, and the namespace that needs one. */
const ofThisCluster: Bound<ClusterEstimate> = {
  says: '2 nodes, 1 waypoint, at least 3 captured pods of shop, which needs HTTP, and more memory with a waypoint',
  holds: ({ namespaces, projection }) => {
    const shop = namespaces.find(({ namespace }) => namespace === 'shop');
    const { nodes, waypoints } = projection.cluster;
    const [ambient = 0, waypoint = 0] = ['ambient', 'waypoint'].map(
      (mode) => projection.modes.find((one) => one.mode === mode)?.memoryGiB,
    );
    const isShop =
      (shop?.captured ?? 0) >= 3 && shop?.needsL7.includes('HTTPRoute server') === true;
    return isShop && nodes === 2 && waypoints === 1 && ambient > 0.05 && waypoint > ambient;
  },
};

export function costs(): Chapter {
  let measured: string;
  return {
    title: '6. What each mode costs',
    says: 'The same load without a mesh, with sidecars, with node proxies, and with a waypoint.',
    parts: [
      step(async (stage) => {
        const { code, stdout, stderr } = await stage.aquifer([...COMPARISON, '-o', 'json'], 0);
        if (code !== 0) throw new Error(stderr);
        measured = stdout;
        await report(stage, measured);
      }),
      claim(
        'each mode carried the load without an error, each proxy at a sane cost',
        () => problemsOfComparison(measured),
        is<string[]>([]),
      ),
      claim(
        'the estimate for this cluster counts what runs here and what needs HTTP',
        async (stage) => {
          const { stdout } = await stage.aquifer(['compare', 'cluster', '-o', 'json'], 0);
          return JSON.parse(stdout) as ClusterEstimate;
        },
        ofThisCluster,
      ),
    ],
  };
}
