/** What Jobs and CronJobs forbid beyond their schema (kubernetes `pkg/apis/batch/validation`). */
import type { ApiObject } from '../cluster-client.ts';
import { type JsonObject, objectOr, sameJson, stringOr } from '../json.ts';
import { type Cause, invalidValue, requiredValue, unsupportedValue } from '../status.ts';
import { podSpecCauses } from './pod-rules.ts';
import { selectorCauses } from './selector-rules.ts';

function runCauses(spec: JsonObject, at: string): Cause[] {
  const causes: Cause[] = [];
  for (const field of ['parallelism', 'completions', 'backoffLimit', 'activeDeadlineSeconds']) {
    const value = spec[field];
    if (typeof value === 'number' && value < 0) {
      causes.push(invalidValue(`${at}.${field}`, value, 'must be greater than or equal to 0'));
    }
  }
  const podSpec = objectOr(objectOr(spec.template).spec);
  causes.push(...podSpecCauses(podSpec, `${at}.template.spec`));
  if (podSpec.restartPolicy === 'Always') {
    const why = 'valid values: "OnFailure", "Never"';
    causes.push(requiredValue(`${at}.template.spec.restartPolicy`, why));
  }
  return causes;
}

/** Mistakes of a Job; `previous` is null on creation. */
export function jobCauses(job: JsonObject, previous: ApiObject | null): Cause[] {
  const spec = objectOr(job.spec);
  const causes = [...selectorCauses(spec), ...runCauses(spec, 'spec')];
  if (previous !== null && !sameJson(objectOr(previous.spec).template, spec.template)) {
    causes.push(invalidValue('spec.template', spec.template, 'field is immutable'));
  }
  return causes;
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

interface Bounds {
  readonly first: number;
  readonly last: number;
  readonly names: readonly string[];
}

const fields: readonly Bounds[] = [
  { first: 0, last: 59, names: [] },
  { first: 0, last: 23, names: [] },
  { first: 1, last: 31, names: [] },
  { first: 1, last: 12, names: ['', ...months] },
  { first: 0, last: 6, names: days },
];
const descriptors = [
  '@yearly',
  '@annually',
  '@monthly',
  '@weekly',
  '@daily',
  '@midnight',
  '@hourly',
];

function numberProblem(text: string, { names }: Bounds): number | string {
  const named = names.indexOf(text.toLowerCase());
  if (text !== '' && named >= 0) return named;
  if (/^\d+$/.test(text)) return Number(text);
  return `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
}

function boundsProblem(range: string, values: string, bounds: Bounds): string | null {
  const [low = '', high] = values.split('-');
  if (low === '*' || low === '?') return null;
  const start = numberProblem(low, bounds);
  if (typeof start === 'string') return start;
  const end = high === undefined ? start : numberProblem(high, bounds);
  if (typeof end === 'string') return end;
  const { first, last } = bounds;
  if (start < first) return `beginning of range (${start}) below minimum (${first}): ${range}`;
  if (end > last) return `end of range (${end}) above maximum (${last}): ${range}`;
  return start > end
    ? `beginning of range (${start}) beyond end of range (${end}): ${range}`
    : null;
}

/** What robfig/cron says of one range of a field; null when it is right. */
function rangeProblem(range: string, bounds: Bounds): string | null {
  const [values = '', step] = range.split('/');
  const problem = boundsProblem(range, values, bounds);
  if (problem !== null || step === undefined) return problem;
  const every = numberProblem(step, { ...bounds, names: [] });
  if (typeof every === 'string') return every;
  return every === 0 ? `step of range should be a positive number: ${range}` : null;
}

function scheduleProblem(schedule: string): string | null {
  if (schedule.startsWith('@')) {
    const known = descriptors.includes(schedule) || /^@every \S+$/.test(schedule);
    return known ? null : `unrecognized descriptor: ${schedule}`;
  }
  const parts = schedule.split(/\s+/).filter((part) => part !== '');
  if (parts.length !== 5) {
    return `expected exactly 5 fields, found ${parts.length}: [${parts.join(' ')}]`;
  }
  for (const [index, bounds] of fields.entries()) {
    for (const range of (parts[index] ?? '').split(',')) {
      const problem = rangeProblem(range, bounds);
      if (problem !== null) return problem;
    }
  }
  return null;
}

const concurrencyPolicies = ['Allow', 'Forbid', 'Replace'];

/** Mistakes of a CronJob. */
export function cronJobCauses(cronJob: JsonObject): Cause[] {
  const spec = objectOr(cronJob.spec);
  const schedule = stringOr(spec.schedule) ?? '';
  const causes: Cause[] = [];
  const problem = schedule === '' ? null : scheduleProblem(schedule);
  if (schedule === '') causes.push(requiredValue('spec.schedule'));
  else if (problem !== null) causes.push(invalidValue('spec.schedule', schedule, problem));
  if (!concurrencyPolicies.includes(String(spec.concurrencyPolicy))) {
    const { concurrencyPolicy } = spec;
    causes.push(unsupportedValue('spec.concurrencyPolicy', concurrencyPolicy, concurrencyPolicies));
  }
  const jobSpec = objectOr(objectOr(spec.jobTemplate).spec);
  return [...causes, ...runCauses(jobSpec, 'spec.jobTemplate.spec')];
}
