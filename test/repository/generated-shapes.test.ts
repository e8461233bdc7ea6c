import { expect, test } from 'vitest';
import { overlaySchemas, overlaySchemasOnDisk } from '../generate/overlay-schemas.ts';
import { shapes, shapesOnDisk } from '../generate/shapes.ts';

test('the shapes of the control plane are what the descriptions of resources generate', () => {
  expect(shapesOnDisk()).toBe(shapes());
});

test('how overlays of waypoints merge is what the descriptions of resources generate', () => {
  expect(overlaySchemasOnDisk()).toBe(overlaySchemas());
});
