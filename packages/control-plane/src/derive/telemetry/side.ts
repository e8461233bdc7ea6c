/** Whether a proxy stands with the one who asks, or with the one who is asked. */
export type Side = 'client' | 'server';

export type WorkloadMode = 'CLIENT_AND_SERVER' | 'CLIENT' | 'SERVER';

export function holdsFor(mode: WorkloadMode | undefined, side: Side): boolean {
  if (mode === 'CLIENT') return side === 'client';
  return mode !== 'SERVER' || side === 'server';
}

/** `otherwise` where none is named. */
export function namesOf(
  providers: readonly { readonly name: string }[] | undefined,
  otherwise: readonly string[],
): readonly string[] {
  const names = (providers ?? []).map(({ name }) => name);
  return names.length > 0 ? names : otherwise;
}
