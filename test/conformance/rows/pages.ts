import { ZTUNNEL } from '../ztunnel/rows.ts';
import type { RowPage } from './row-page.ts';

/** All that `npm run conformance` writes. */
export const PAGES: readonly RowPage[] = [ZTUNNEL];
