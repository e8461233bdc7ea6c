/** What `aquifer compare run` prints, read back. */
const MODES = ['no mesh', 'Envoy sidecars', 'ambient L4', 'ambient + waypoint'];
const FEWEST_REQUESTS_PER_ROUND = 100;

function cells(line: string): string[] {
  return line.trim().split(/ {2,}/);
}

/** The medians of a row, in the order of the modes. */
function medians(lines: readonly string[], title: string): number[] {
  const line = lines.find((candidate) => candidate.trim().startsWith(title));
  return line === undefined ? [] : cells(line).slice(1).map(Number.parseFloat);
}

/** What is wrong with a comparison; empty when all modes carried the load without an error, each proxy at some cost. */
export function problemsOfComparison(stdout: string): string[] {
  const lines = stdout.split('\n');
  const problems: string[] = [];
  const expectRow = (title: string, holds: (values: readonly number[]) => boolean): void => {
    const values = medians(lines, title);
    if (values.length !== MODES.length || !holds(values)) {
      problems.push(`${title}: ${values.join(', ') || 'missing'}`);
    }
  };
  if (!lines.some((line) => cells(line).join() === MODES.join())) problems.push('the four modes');
  const isCost = ([none, ...others]: readonly number[]): boolean =>
    none === 0 && others.every((value) => value > 0);
  expectRow('proxy CPU', isCost);
  expectRow('proxy memory', isCost);
  expectRow('latency p50', (values) => values.every((value) => value > 0));
  expectRow('latency p99', (values) => values.every((value) => value > 0));
  expectRow('requests per round', (values) =>
    values.every((value) => value >= FEWEST_REQUESTS_PER_ROUND),
  );
  expectRow('errors per round', (values) => values.every((value) => value === 0));
  const ratios = lines.filter((line) => line.trim().startsWith('ratio to sidecars'));
  if (ratios.length !== 2) problems.push('ratios to sidecars');
  return problems;
}
