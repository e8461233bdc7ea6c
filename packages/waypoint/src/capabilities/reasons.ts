/** Reasons that hold for many fields. */

export const A_LABEL = 'a label: the type decides';
export const OF_STATISTICS = 'names statistics of Envoy, which have other names here';
export const OF_TUNNELS =
  'tunnels are taken and opened by this proxy itself, always in the same way';
export const ONLY_TLS = 'says something only about TLS, which is refused';
export const DRY_RUN = 'a dry run decides nothing, and no span tells what it would have done';
