/** What HorizontalPodAutoscalers forbid beyond their schema (kubernetes `pkg/apis/autoscaling/validation`), in the form that is stored. */
import { itemsOf } from '../defaults/fill.ts';
import { isObject, type JsonObject, objectOr, ownValue, stringOr } from '../json.ts';
import {
  type Cause,
  forbiddenValue,
  invalidValue,
  requiredValue,
  unsupportedValue,
} from '../status.ts';

/** The field of each type's source. */
const SOURCES: Readonly<Record<string, string>> = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
};

function boundCauses({ minReplicas, maxReplicas }: JsonObject): Cause[] {
  const least = Number(minReplicas ?? 1);
  const most = Number(maxReplicas ?? 0);
  return [
    ...(least < 1
      ? [invalidValue('spec.minReplicas', least, 'must be greater than or equal to 1')]
      : []),
    ...(most < 1 ? [invalidValue('spec.maxReplicas', most, 'must be greater than 0')] : []),
    ...(most < least
      ? [invalidValue('spec.maxReplicas', most, 'must be greater than or equal to `minReplicas`')]
      : []),
  ];
}

function metricCauses(metric: JsonObject, at: string): Cause[] {
  const field = ownValue(SOURCES, String(metric.type));
  if (field === undefined) {
    return [unsupportedValue(`${at}.type`, metric.type, Object.keys(SOURCES))];
  }
  const source = metric[field];
  if (!isObject(source)) {
    return [
      requiredValue(`${at}.${field}`, 'must populate information for the given metric source'),
    ];
  }
  const others = Object.keys(metric).filter((key) => key !== 'type' && key !== field);
  const { averageUtilization } = objectOr(source.target);
  return [
    ...others.map((other) =>
      forbiddenValue(`${at}.${other}`, 'must populate the given metric source only'),
    ),
    ...(typeof averageUtilization === 'number' && averageUtilization < 1
      ? [
          invalidValue(
            `${at}.${field}.target.averageUtilization`,
            averageUtilization,
            'must be greater than 0',
          ),
        ]
      : []),
  ];
}

export function autoscalerCauses(autoscaler: JsonObject): Cause[] {
  const spec = objectOr(autoscaler.spec);
  const target = objectOr(spec.scaleTargetRef);
  return [
    ...['kind', 'name'].flatMap((field) =>
      (stringOr(target[field]) ?? '') === '' ? [requiredValue(`spec.scaleTargetRef.${field}`)] : [],
    ),
    ...boundCauses(spec),
    ...itemsOf(spec, 'metrics').flatMap((metric, at) =>
      metricCauses(metric, `spec.metrics[${at}]`),
    ),
  ];
}
