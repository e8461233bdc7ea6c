import { eventually } from '../../fixtures/eventually.ts';
import { is } from '../bounds.ts';
import { type Chapter, claim, step } from '../chapter.ts';
import { STRICT } from '../manifests.ts';

/** What curl says when the connection fails. */
export const REFUSED = '000';

export const STRICT_MTLS: Chapter = {
  title: '3. STRICT: only callers with an identity',
  says: 'Until somebody asks for more, pods outside the mesh may go on calling those in it.',
  parts: [
    claim(
      'a pod outside the mesh can still call',
      ({ shop }) => shop.status('outsider'),
      is('200'),
    ),
    step((stage) => stage.apply(STRICT)),
    claim(
      'with STRICT it is refused',
      ({ shop }) =>
        eventually(async () => ((await shop.status('outsider')) === REFUSED ? REFUSED : null)),
      is(REFUSED),
    ),
    claim('and pods of the mesh are not', ({ shop }) => shop.status('client'), is('200')),
  ],
};
