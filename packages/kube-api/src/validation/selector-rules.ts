/** A workload's selector and the labels of its template. */
import { type JsonObject, objectOr } from '../json.ts';
import { matchesLabelSelector } from '../selectors.ts';
import { type Cause, invalidValue } from '../status.ts';
import { labelCauses } from './names.ts';

/** The template's labels must be right, and the selector must select them; a missing selector selects nothing. */
export function selectorCauses(spec: JsonObject): Cause[] {
  const field = 'spec.template.metadata.labels';
  const { labels } = objectOr(objectOr(spec.template).metadata);
  const selects =
    spec.selector !== undefined && matchesLabelSelector(spec.selector, objectOr(labels));
  const why = '`selector` does not match template `labels`';
  return [
    ...(selects ? [] : [invalidValue(field, labels ?? null, why)]),
    ...labelCauses(labels, field),
  ];
}
