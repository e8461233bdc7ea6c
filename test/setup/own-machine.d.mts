import type { ChildProcess, SpawnOptions } from 'node:child_process';

export function canHaveOwnMachine(): boolean;
export function spawnOnOwnMachine(command: readonly string[], options: SpawnOptions): ChildProcess;
