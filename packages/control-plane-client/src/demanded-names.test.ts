import { expect, test } from 'vitest';
import { type DemandChange, DemandedNames } from './demanded-names.ts';

const body = new Uint8Array();
const NOTHING_REFUSED: ReadonlySet<string> = new Set();

function demanded(max?: number) {
  const names = new DemandedNames(max);
  const changes: DemandChange[] = [];
  names.onChange((change) => changes.push(change));
  return {
    names,
    answered: () => changes.flatMap(({ answered }) => answered),
    dropped: () => changes.flatMap(({ dropped }) => dropped),
    receive: (
      resources: readonly { readonly name: string; readonly aliases?: readonly string[] }[],
      removed: readonly string[] = [],
      refused = NOTHING_REFUSED,
    ) => {
      const batch = { resources: resources.map((each) => ({ ...each, body })), removed };
      names.received(batch, new Map(resources.map(({ name }) => [name, '1'])), refused);
    },
  };
}

test('a resource answers by its name and by its aliases', () => {
  const { names, receive, answered } = demanded();
  for (const name of ['uid', '/10.0.0.1', '/10.0.0.2']) names.ask(name);
  receive([{ name: 'uid', aliases: ['/10.0.0.1', '/10.0.0.9'] }]);
  expect(answered()).toEqual(['uid', '/10.0.0.1']);
});

test('that there is nothing is an answer, and so is a resource that was refused', () => {
  const { names, receive, answered } = demanded();
  for (const name of ['gone', 'broken']) names.ask(name);
  receive([], ['gone']);
  receive([{ name: 'broken' }], [], new Set(['broken']));
  expect(answered()).toEqual(['gone', 'broken']);
  expect([...names.held.keys()]).toEqual([]);
});

test('a name is asked for once, and whoever asks later hears what was answered', () => {
  const { names, receive, answered } = demanded();
  names.ask('a');
  names.ask('a');
  expect(names.takeRequest()).toEqual({ subscribe: ['a'], unsubscribe: [] });
  receive([], ['a']);
  names.ask('a');
  expect(names.takeRequest()).toBeNull();
  expect(answered()).toEqual(['a', 'a']);
});

test('a new stream claims what is held, and every other name that is followed without a version', () => {
  const { names, receive } = demanded();
  for (const name of ['uid', '/10.0.0.1', 'open', 'nothing']) names.ask(name);
  names.pin('own');
  receive([{ name: 'uid', aliases: ['/10.0.0.1'] }, { name: 'of-a-service' }], ['nothing']);
  expect(names.open()).toEqual({
    ...{ uid: '1', 'of-a-service': '1' },
    ...{ '/10.0.0.1': '', open: '', nothing: '', own: '' },
  });
  expect(names.takeRequest()).toBeNull();
});

test('of too many names those are dropped that nobody has used for the longest time', () => {
  const { names, receive, dropped } = demanded(8);
  names.pin('own');
  for (let i = 0; i < 8; i++) names.ask(`n${i}`);
  receive(
    [],
    Array.from({ length: 8 }, (_, i) => `n${i}`),
  );
  names.touch(['n0', 'unheard-of']);
  names.takeRequest();
  names.ask('another');
  expect(dropped()).toEqual(['n1']);
  expect(names.takeRequest()).toEqual({ subscribe: ['another'], unsubscribe: ['n1'] });
  expect([names.wants('n0'), names.wants('n1'), names.wants('own')]).toEqual([true, false, true]);
});

test('while too many names are open, no more are asked for', () => {
  const { names, receive, dropped } = demanded(4);
  for (let i = 0; i < 100; i++) names.ask(`n${i}`);
  expect(names.takeRequest()?.subscribe).toEqual(['n0', 'n1', 'n2', 'n3']);
  expect(dropped()).toEqual([]);
  receive([], ['n0', 'n1', 'n2', 'n3']);
  names.ask('n99');
  expect(names.takeRequest()?.subscribe).toEqual(['n99']);
});

test('a resource that crosses its release is subscribed to again, for nobody would say when it changes', () => {
  const { names, receive } = demanded();
  names.ask('uid');
  receive([{ name: 'uid' }]);
  names.takeRequest();
  names.release(['uid']);
  expect(names.takeRequest()).toEqual({ subscribe: [], unsubscribe: ['uid'] });
  receive([{ name: 'uid' }]);
  expect(names.takeRequest()).toEqual({ subscribe: ['uid'], unsubscribe: [] });
});
