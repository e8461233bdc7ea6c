import { expect, test } from 'vitest';
import { fitLine } from './least-squares.ts';

test('finds the coefficients of exact data, with residuals of nothing', () => {
  const rows = [
    [2, 2, 0],
    [2, 10, 0],
    [2, 2, 1000],
    [2, 50, 500],
  ];
  const fit = fitLine(
    rows,
    rows.map(([nodes, pods, rps]) => 3 * nodes! + 0.5 * pods! + 0.002 * rps!),
  );
  expect(fit?.coefficients.map((c) => Number(c.toFixed(6)))).toEqual([3, 0.5, 0.002]);
  for (const { observed, fitted } of fit!.residuals) expect(fitted).toBeCloseTo(observed);
});

test('no part costs less than nothing: the others are fitted without it', () => {
  const fit = fitLine(
    [
      [1, 1],
      [1, 2],
      [1, 3],
    ],
    [10, 9, 8],
  );
  expect(fit?.coefficients).toEqual([9, 0]);
  expect(fit?.residuals[0]).toEqual({ observed: 10, fitted: 9 });
});

test('what one size of cluster cannot tell apart is not fitted', () => {
  expect(
    fitLine(
      [
        [2, 4],
        [2, 4],
      ],
      [1, 1],
    ),
  ).toBeNull();
});
