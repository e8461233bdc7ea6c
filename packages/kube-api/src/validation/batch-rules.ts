/** What Jobs and CronJobs forbid beyond their schema (kubernetes `pkg/apis/batch/validation`). */
import type { ApiObject } from '../cluster-client.ts';
import { type JsonObject, objectOr, sameJson, stringOr } from '../json.ts';
import { type Cause, invalidValue, requiredValue, unsupportedValue } from '../status.ts';
import { podSpecCauses } from './pod-rules.ts';
import { parseSchedule } from './schedule.ts';
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

/** Why a schedule is none; null when it is one. */
function scheduleProblem(schedule: string): string | null {
  try {
    parseSchedule(schedule, null);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
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
  const timeZone = stringOr(spec.timeZone);
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    causes.push(invalidValue('spec.timeZone', timeZone, `unknown time zone ${timeZone}`));
  }
  if (!concurrencyPolicies.includes(String(spec.concurrencyPolicy))) {
    const { concurrencyPolicy } = spec;
    causes.push(unsupportedValue('spec.concurrencyPolicy', concurrencyPolicy, concurrencyPolicies));
  }
  const jobSpec = objectOr(objectOr(spec.jobTemplate).spec);
  return [...causes, ...runCauses(jobSpec, 'spec.jobTemplate.spec')];
}
