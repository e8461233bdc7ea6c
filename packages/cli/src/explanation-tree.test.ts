import { expect, test } from 'vitest';
import { explanationTree } from './explanation-tree.ts';

const SERVICE = { kind: 'Service', namespace: 'shop', name: 'web' };
const NODE = { kind: 'Node', namespace: '', name: 'n1' };

test('a tree has each line with what it is, and below it the objects and fields that made it', () => {
  const endpoint = {
    what: 'endpoint',
    name: '10.0.0.1:80',
    detail: '',
    because: [{ object: NODE, fields: [] }],
    lines: [],
  } as const;
  const address = {
    what: 'address',
    name: 'shop/web',
    detail: '10.96.0.1',
    because: [{ object: SERVICE, fields: ['spec.ports[0].port', 'spec.type'] }],
    lines: [endpoint],
  } as const;
  const condition = {
    what: 'condition',
    name: 'x True',
    detail: '',
    because: [],
    lines: [],
  } as const;
  expect(explanationTree({ object: SERVICE, lines: [address, condition] })).toBe(
    `Service shop/web
├─ address shop/web  (10.96.0.1)
│  │  ← Service shop/web: spec.ports[0].port, spec.type
│  └─ endpoint 10.0.0.1:80
│        ← Node n1
└─ condition x True
`,
  );
});
