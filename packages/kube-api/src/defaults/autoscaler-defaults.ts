/** Defaults of autoscalers (kubernetes `pkg/apis/autoscaling/v2/defaults.go`). */
import { isObject, type JsonObject, listOr, objectOr } from '../json.ts';
import { fill } from './fill.ts';

const EVERY_15_SECONDS = { periodSeconds: 15 };

/** Four pods or as many again, whichever is more, at once. */
const SCALE_UP = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, ...EVERY_15_SECONDS },
    { type: 'Percent', value: 100, ...EVERY_15_SECONDS },
  ],
};
/** All of them; how long it waits is a setting of the controller. */
const SCALE_DOWN = {
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, ...EVERY_15_SECONDS }],
};

/** One pod at least, and 80 % of the CPU unless other metrics are given. Its first version knows no others. */
export function autoscalerDefaults(autoscaler: JsonObject): void {
  const spec = objectOr(autoscaler.spec);
  fill(spec, 'minReplicas', 1);
  if (autoscaler.apiVersion === 'autoscaling/v1') {
    fill(spec, 'targetCPUUtilizationPercentage', 80);
    fill(autoscaler, 'status', { desiredReplicas: 0 });
    return;
  }
  if (listOr(spec.metrics).length === 0) {
    const target = { type: 'Utilization', averageUtilization: 80 };
    spec.metrics = [{ type: 'Resource', resource: { name: 'cpu', target } }];
  }
  if (isObject(spec.behavior)) {
    spec.behavior = {
      scaleUp: structuredClone({ ...SCALE_UP, ...objectOr(spec.behavior.scaleUp) }),
      scaleDown: structuredClone({ ...SCALE_DOWN, ...objectOr(spec.behavior.scaleDown) }),
    };
  }
  fill(autoscaler, 'status', { currentMetrics: null, desiredReplicas: 0 });
}
