/** `allOf`, `anyOf`, `oneOf` and `not` of a schema, worded as kube-apiserver words them (go-openapi `schema_props`). */
import type { OpenApiSchema } from '@aquifer/model/resources';
import { type Cause, invalidValue } from '../status.ts';

/** What is wrong with the same value by another schema. */
export type Judge = (schema: OpenApiSchema) => readonly Cause[];

function fewest(attempts: readonly (readonly Cause[])[]): readonly Cause[] {
  return attempts.toSorted((a, b) => a.length - b.length)[0] ?? [];
}

function cause(path: string, must: string): Cause {
  return invalidValue('<nil>', '', `${JSON.stringify(path)} must ${must}`);
}

function anyOfCauses(schemas: readonly OpenApiSchema[], path: string, judge: Judge): Cause[] {
  const attempts = schemas.map(judge);
  if (attempts.length === 0 || attempts.some((attempt) => attempt.length === 0)) return [];
  return [cause(path, 'validate at least one schema (anyOf)'), ...fewest(attempts)];
}

function oneOfCauses(schemas: readonly OpenApiSchema[], path: string, judge: Judge): Cause[] {
  const attempts = schemas.map(judge);
  const valid = attempts.filter((attempt) => attempt.length === 0).length;
  if (attempts.length === 0 || valid === 1) return [];
  const found = valid === 0 ? 'Found none valid' : `Found ${valid} valid alternatives`;
  const refused = cause(path, `validate one and only one schema (oneOf). ${found}`);
  return [refused, ...(valid === 0 ? fewest(attempts) : [])];
}

/** The causes of those that do not hold, with those of the nearest alternative where none holds. */
export function alternativeCauses(schema: OpenApiSchema, path: string, judge: Judge): Cause[] {
  const { allOf = [], anyOf = [], oneOf = [], not } = schema;
  const all = allOf.flatMap(judge);
  const forbidden = not !== undefined && judge(not).length === 0;
  return [
    ...all,
    ...(all.length > 0 ? [cause(path, 'validate all the schemas (allOf)')] : []),
    ...anyOfCauses(anyOf, path, judge),
    ...oneOfCauses(oneOf, path, judge),
    ...(forbidden ? [cause(path, 'not validate the schema (not)')] : []),
  ];
}
