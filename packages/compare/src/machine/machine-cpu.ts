import { readFileSync } from 'node:fs';

/** Times in /proc/stat count in USER_HZ, 100 a second on every Linux port of Node (proc(5)). */
const MICROS_PER_TICK = 10_000;

/** What the processors of this machine have done since it started, in microseconds, summed over all of them. */
export interface MachineCpu {
  /** Everything but idling, waiting for a disk, and what a hypervisor took away. */
  readonly busyMicros: number;
  /** The part of `busyMicros` spent in the kernel: system calls, interrupts and soft interrupts. */
  readonly kernelMicros: number;
  /** The part of `kernelMicros` that packets cost outside of any process. */
  readonly softirqMicros: number;
  /** Busy and idle, without what a hypervisor took away. */
  readonly totalMicros: number;
}

/** Reads /proc/stat, or its text. */
export function machineCpu(text: string = readFileSync('/proc/stat', 'utf8')): MachineCpu {
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0] = text
    .slice(0, text.indexOf('\n'))
    .replace(/^cpu +/, '')
    .split(' ')
    .map((ticks) => Number(ticks) * MICROS_PER_TICK);
  const kernelMicros = system + irq + softirq;
  const busyMicros = user + nice + kernelMicros;
  return {
    busyMicros,
    kernelMicros,
    softirqMicros: softirq,
    totalMicros: busyMicros + idle + iowait,
  };
}
