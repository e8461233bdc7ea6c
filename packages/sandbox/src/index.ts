export type { SandboxConfig } from './config.ts';
export { configSchema, parseConfig } from './config.ts';
