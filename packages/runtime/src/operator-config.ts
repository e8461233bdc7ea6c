import { type ConfigKeys, choiceKey, portKey } from './config.ts';

/** How operators and kubelets look into a proxy. */
export interface OperatorConfig {
  readonly adminPort: number;
  readonly statsPort: number;
  readonly readinessPort: number;
  readonly logFormat: 'plain' | 'json';
}

/** The same for every proxy, so that one dashboard and one probe fit all. */
export const OPERATOR_KEYS: ConfigKeys<OperatorConfig> = {
  adminPort: portKey('ADMIN_PORT', 'Port of the admin server, on loopback only.', 15_000),
  statsPort: portKey('STATS_PORT', 'Port of the metrics server.', 15_020),
  readinessPort: portKey('READINESS_PORT', 'Port of the readiness server.', 15_021),
  logFormat: choiceKey('LOG_FORMAT', 'Form of log lines.', {
    default: 'plain',
    choices: ['plain', 'json'],
  }),
};
