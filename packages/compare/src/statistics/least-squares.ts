/** What a linear model says of one observation, and what was observed. */
export interface Residual {
  readonly observed: number;
  readonly fitted: number;
}

export interface LinearFit {
  /** One for each column. */
  readonly coefficients: readonly number[];
  readonly residuals: readonly Residual[];
}

/**
 * Non-negative coefficients for which the sum of squared differences is least (ordinary least squares; a column whose
 * coefficient would be negative is left out, because no part of a proxy costs less than nothing). Null if the rows do
 * not determine the coefficients.
 */
export function fitLine(
  rows: readonly (readonly number[])[],
  observed: readonly number[],
): LinearFit | null {
  const width = rows[0]?.length ?? 0;
  let columns = Array.from({ length: width }, (_, column) => column);
  while (columns.length > 0) {
    const solved = solveNormal(
      rows.map((row) => columns.map((column) => row[column]!)),
      observed,
    );
    if (solved === null) return null;
    const worst = solved.indexOf(Math.min(...solved));
    if (solved[worst]! >= 0) {
      const coefficients = new Array<number>(width).fill(0);
      columns.forEach((column, at) => {
        coefficients[column] = solved[at]!;
      });
      const residuals = rows.map((row, at) => ({
        observed: observed[at]!,
        fitted: row.reduce((sum, value, column) => sum + value * coefficients[column]!, 0),
      }));
      return { coefficients, residuals };
    }
    columns = columns.filter((_, at) => at !== worst);
  }
  return null;
}

/** Solves XᵀX c = Xᵀy by elimination with pivots; null if XᵀX is singular. */
function solveNormal(
  rows: readonly (readonly number[])[],
  observed: readonly number[],
): number[] | null {
  const width = rows[0]?.length ?? 0;
  // Columns of like size, so that what is nearly zero can be told.
  const scales = Array.from({ length: width }, (_, column) =>
    Math.max(...rows.map((row) => Math.abs(row[column]!))),
  );
  if (scales.some((scale) => scale === 0)) return null;
  const scaled = rows.map((row) => row.map((value, column) => value / scales[column]!));
  const matrix = Array.from({ length: width }, (_, i) => [
    ...Array.from({ length: width }, (_, j) =>
      scaled.reduce((sum, row) => sum + row[i]! * row[j]!, 0),
    ),
    scaled.reduce((sum, row, at) => sum + row[i]! * observed[at]!, 0),
  ]);
  for (let pivot = 0; pivot < width; pivot++) {
    const best = matrix
      .slice(pivot)
      .reduce(
        (at, row, i) => (Math.abs(row[pivot]!) > Math.abs(matrix[at]![pivot]!) ? pivot + i : at),
        pivot,
      );
    [matrix[pivot], matrix[best]] = [matrix[best]!, matrix[pivot]!];
    const head = matrix[pivot]!;
    if (Math.abs(head[pivot]!) < 1e-9) return null;
    for (const [i, row] of matrix.entries()) {
      if (i === pivot) continue;
      const factor = row[pivot]! / head[pivot]!;
      for (let j = pivot; j <= width; j++) row[j] = row[j]! - factor * head[j]!;
    }
  }
  return matrix.map((row, at) => row[width]! / row[at]! / scales[at]!);
}
