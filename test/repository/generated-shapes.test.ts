import { expect, test } from 'vitest';
import { shapes, shapesOnDisk } from '../generate/shapes.ts';

test('the shapes of the control plane are what the descriptions of resources generate', () => {
  expect(shapesOnDisk()).toBe(shapes());
});
