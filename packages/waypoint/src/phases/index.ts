export { redirect, respondDirectly } from './answer.ts';
export { authorize } from './authorize.ts';
export { forward } from './forward.ts';
export { matchRoute, normalize } from './match.ts';
