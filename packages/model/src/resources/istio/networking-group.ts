import { z } from 'zod';
import type { PrinterColumn } from '../resource.ts';

/** What all kinds of the group have in common. */
export const networking = {
  group: 'networking.istio.io',
  versions: ['v1', 'v1beta1', 'v1alpha3'],
  categories: ['istio-io', 'networking-istio-io'],
  namespaced: true,
  subresources: { status: true },
} as const;

/** A column of text. */
export function column(name: string, jsonPath: string, description: string): PrinterColumn {
  return { name, type: 'string', jsonPath, description };
}

/** Namespaces that see the object: `.` its own, `*` all, `~` none. */
export const exportTo = z.array(z.string()).optional();
