import {
  booleanKey,
  type ConfigKeys,
  choiceKey,
  optionalStringKey,
  parsedKey,
} from '@aquifer/runtime';

/** What tunnels have to be like for their peers to be trusted. */
export interface SecurityConfig {
  /** Null: no rules but those of the mesh. */
  readonly compliancePolicy: 'pqc' | null;
  readonly allowsTls12: boolean;
  readonly revocationPath: string | null;
  readonly logsDecisions: boolean;
}

export const SECURITY_KEYS: ConfigKeys<SecurityConfig> = {
  compliancePolicy: parsedKey<'pqc' | null>(
    'COMPLIANCE_POLICY',
    'pqc: tunnels agree on keys by X25519MLKEM768 only, and peers without it are refused.',
    {
      type: 'pqc',
      default: null,
      parse: choiceKey('', '', { choices: ['pqc'] }).parse,
    },
  ),
  allowsTls12: booleanKey('TLS12_ENABLED', 'Whether tunnels may use TLS 1.2 beside 1.3.', {
    default: false,
  }),
  revocationPath: optionalStringKey(
    'CRL_PATH',
    'File with certificate revocation lists, PEM or DER; it is read again when it changes.',
  ),
  logsDecisions: booleanKey(
    'AUTHZ_POLICY_INFO_LOGGING',
    'Whether what policies say about each inbound connection is logged at info, rather than at debug (scope rbac).',
    { default: false },
  ),
};
