export const goCommand: string | null;
export const GO_PROGRAMS: Readonly<
  Record<'crd-validation' | 'grpc-peer' | 'h2spec' | 'nri-runtime' | 'kubernetes-client', string>
>;
export function goFolder(folder: string): string;
export function buildGoProgramsAhead(): void;
export function isCompiledGoProgram(folder: keyof typeof GO_PROGRAMS): boolean;
