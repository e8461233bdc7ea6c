export type { Attributes, Expression } from './expression.ts';
export { compileExpression, durationAttribute } from './expression.ts';
