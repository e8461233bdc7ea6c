import type { CostModel } from './cost-model.ts';
import saved from './default-cost-model.json' with { type: 'json' };

/** For estimates without a run of one's own: what the run that its `source` names has measured. */
export const DEFAULT_COST_MODEL: CostModel = saved as CostModel;
