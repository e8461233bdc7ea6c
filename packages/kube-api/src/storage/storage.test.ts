import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { ApiObject } from '../cluster-client.ts';
import { parseLabelSelector } from '../selectors.ts';
import { Storage } from './storage.ts';
import { visibleChange } from './watch.ts';

function object(name: string, labels: Record<string, string> = {}): ApiObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'a', labels } };
}

function temporaryPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'storage-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return join(directory, 'cluster.db');
}

test('objects and the revision outlive the process, the history does not', () => {
  const path = temporaryPath();
  const before = new Storage(path);
  before.put('/configmaps', object('kept'));
  before.put('/configmaps', object('gone'));
  before.remove('/configmaps', object('gone'));
  before.close();
  const after = new Storage(path);
  expect(after.revision).toBe(3);
  expect(after.list('/configmaps').map(({ metadata }) => metadata.name)).toEqual(['kept']);
  expect(after.since('/configmaps', 2)).toBeNull();
  expect(after.since('/configmaps', 3)).toEqual([]);
  expect(after.put('/configmaps', object('next')).metadata.resourceVersion).toBe('4');
  after.close();
});

test('a revision whose history was dropped is told apart from one without events', () => {
  const storage = new Storage(':memory:', { events: 10, bytes: 1e6 });
  for (let index = 0; index < 25; index++) storage.put('/configmaps', object(`c${index}`));
  expect(storage.since('/configmaps', 1)).toBeNull();
  expect(storage.since('/configmaps', 24)).toHaveLength(1);
  expect(storage.since('/secrets', 24)).toEqual([]);
  storage.close();
});

test('a history of large objects is as short as their bytes demand', () => {
  const storage = new Storage(':memory:', { events: 100, bytes: 10_000 });
  const large = { ...object('large'), data: { text: 'x'.repeat(3_000) } };
  for (let index = 0; index < 20; index++) storage.put('/configmaps', large);
  expect(storage.since('/configmaps', 10)).toBeNull();
  expect(storage.since('/configmaps', 19)).toHaveLength(1);
  storage.close();
});

test('a selector sees objects come and go as their labels change', () => {
  const storage = new Storage(':memory:');
  const selects = parseLabelSelector('app=web');
  const seen: string[] = [];
  storage.subscribe((event) => {
    const change = visibleChange(event, selects);
    if (change !== null) seen.push(`${change.type} ${change.object.metadata.resourceVersion}`);
  });
  storage.put('/pods', object('one'));
  storage.put('/pods', object('one', { app: 'web' }));
  storage.put('/pods', object('one', { app: 'web', more: 'x' }));
  storage.put('/pods', object('one', { app: 'db' }));
  storage.remove('/pods', object('one', { app: 'db' }));
  expect(seen).toEqual(['added 2', 'modified 3', 'deleted 4']);
  storage.close();
});

test.for([
  ['', true],
  ['app=web', true],
  ['app==web,tier!=back', true],
  ['app in (db, web)', true],
  ['app notin (db)', true],
  ['app', true],
  ['!gone', true],
  ['app,!tier', false],
  ['app=db', false],
  ['gone in (web)', false],
] as const)('label selector %j matches app=web,tier=front: %j', ([selector, matches]) => {
  const selects = parseLabelSelector(selector);
  expect(selects(object('one', { app: 'web', tier: 'front' }))).toBe(matches);
});

test('a label selector that does not parse is refused', () => {
  expect(() => parseLabelSelector('a=b=c')).toThrow("found '=', expected: ',' or 'end of string'");
});
