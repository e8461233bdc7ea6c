import { expect, test } from 'vitest';
import { fingerprint, kubernetesKindsOnDisk } from '../generate/kubernetes-kinds.ts';

test('the messages of the Kubernetes API are what the script writes, from the modules that it names', () => {
  const { table, madeFrom } = kubernetesKindsOnDisk();
  expect(madeFrom, 'run: npm run generate (with Go)').toBe(fingerprint(table));
});
