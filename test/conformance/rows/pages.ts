import { CONTROL_PLANE } from '../control-plane/rows.ts';
import { L7 } from '../l7/rows.ts';
import { ZTUNNEL } from '../ztunnel/rows.ts';
import type { RowPage } from './row-page.ts';

/** All that `npm run conformance` writes. */
export const PAGES: readonly RowPage[] = [ZTUNNEL, L7, CONTROL_PLANE];
