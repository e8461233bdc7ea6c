import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { installationRoot } from '@aquifer/runtime';
import { CliError } from './errors.ts';

/** An object of a file or a cluster, as the API has it. */
export interface AnalyzedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** What the control plane says of an object; `path` is a field, or empty. */
export interface AnalysisMessage {
  readonly code: string;
  readonly name: string;
  readonly level: 'Error' | 'Warning' | 'Info';
  readonly object: { readonly kind: string; readonly namespace: string; readonly name: string };
  readonly path: string;
  readonly message: string;
}

/** A bundle, also when this command itself runs from its sources. */
const MAIN = join(installationRoot(import.meta.dirname), 'dist', 'analyze', 'main.mjs');

/** The control plane's own judgement, in a process of its own: the command holds no rules. */
export async function analyzeObjects(
  objects: readonly AnalyzedObject[],
): Promise<readonly AnalysisMessage[]> {
  const child = spawn(process.execPath, ['--enable-source-maps', MAIN], { stdio: 'pipe' });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  // A process that ends before it has read everything says why on its standard error.
  child.stdin.on('error', () => undefined);
  child.stdin.end(JSON.stringify(objects));
  const [output, complaint, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    ended,
  ]);
  if (code !== 0) throw new CliError(`the analysis failed: ${complaint.trim()}`);
  return JSON.parse(output) as readonly AnalysisMessage[];
}
