export type { Condition, ObjectMeta, OwnerReference } from './meta.ts';
export { condition, objectMeta, ownerReference } from './meta.ts';
export type { PrinterColumn, ResourceDefinition, ResourceObject } from './resource.ts';
export { defineResource } from './resource.ts';
