/**
 * What an IntOrString such as `maxSurge` stands for: a number is itself, `25%` is of `whole`. Not rounded: some fields round up
 * and some down (apimachinery `intstr.GetScaledValueFromIntOrPercent`).
 */
export function scaledValue(value: number | string, whole: number): number {
  const text = String(value);
  return text.endsWith('%') ? (Number(text.slice(0, -1)) * whole) / 100 : Number(text);
}
