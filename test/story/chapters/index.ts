import type { Chapter } from '../chapter.ts';
import { CLUSTER, SANDBOX_GOES } from './cluster.ts';
import { costs } from './costs.ts';
import { labelOff } from './label-off.ts';
import { oneAccount } from './one-account.ts';
import { oneLabel } from './one-label.ts';
import { STRICT_MTLS } from './strict.ts';
import { waypoint } from './waypoint.ts';
import { withoutMesh } from './without-mesh.ts';

/** The story, in order, but for its end. Chapters remember what they have measured: to be told once. */
export function chapters(): Chapter[] {
  return [
    CLUSTER,
    withoutMesh(),
    oneLabel(),
    STRICT_MTLS,
    oneAccount(),
    waypoint(),
    costs(),
    labelOff(),
  ];
}

/** Its end. */
export const END: Chapter = SANDBOX_GOES;
