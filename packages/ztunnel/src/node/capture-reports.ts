import { setTimeout as delay } from 'node:timers/promises';
import {
  type CaptureReport,
  type ControlPlaneEndpoint,
  reportCapture,
} from '@aquifer/control-plane-client';
import type { Logger } from '@aquifer/runtime';

const RETRY_MS = 1_000;

export interface CaptureReportsOptions {
  readonly endpoint: ControlPlaneEndpoint;
  readonly node: string;
  readonly log: Logger;
}

/** Sends reports in order until the control plane has taken them; a newer word on a pod replaces an older one. */
export class CaptureReports {
  readonly #options: CaptureReportsOptions;
  readonly #unsent = new Map<string, CaptureReport>();
  #inventory: readonly string[] | null = null;
  #isSending = false;

  constructor(options: CaptureReportsOptions) {
    this.#options = options;
  }

  add(report: CaptureReport): void {
    this.#unsent.set(report.uid, report);
    void this.#send();
  }

  /** These are all the pods that are captured or are to be; nothing of others is left. */
  addInventory(uids: readonly string[]): void {
    this.#inventory = uids;
    void this.#send();
  }

  async #send(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    const { endpoint, node, log } = this.#options;
    while (this.#unsent.size > 0 || this.#inventory !== null) {
      const reports = [...this.#unsent.values()];
      const inventory = this.#inventory;
      try {
        await reportCapture(endpoint, { node, reports, inventory });
        if (this.#inventory === inventory) this.#inventory = null;
        for (const report of reports) {
          if (this.#unsent.get(report.uid) === report) this.#unsent.delete(report.uid);
        }
      } catch (error) {
        log.warn('capture report was not taken', { error: (error as Error).message });
        await delay(RETRY_MS, undefined, { ref: false });
      }
    }
    this.#isSending = false;
  }
}
