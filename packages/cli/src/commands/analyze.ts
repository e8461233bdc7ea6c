import { type Command, Option } from 'commander';
import { type AnalysisMessage, type AnalyzedObject, analyzeObjects } from '../analysis-process.ts';
import { objectsOfCluster, objectsOfFiles, type SourcedObject } from '../analyzed-objects.ts';
import type { CliContext } from '../context.ts';
import { CliError } from '../errors.ts';
import { formatTable } from '../output/table.ts';

interface AnalyzeOptions {
  readonly filename?: readonly string[];
  readonly useKube?: true;
  readonly namespace?: string;
  readonly output: 'table' | 'json';
}

/** A message, and where its object was written. */
interface PlacedMessage extends AnalysisMessage {
  readonly file: string;
}

export function addAnalyze(program: Command, context: CliContext): void {
  const command = program
    .command('analyze [files...]')
    .description(
      'Say what is wrong with configuration, of files or of the cluster, as the control plane judges it',
    )
    .option(
      '-n, --namespace <namespace>',
      'of the cluster only this namespace (default: all); of files, that of objects that name none',
    )
    .option('-f, --filename <path...>', 'files or folders to analyze; - is standard input')
    .option('--use-kube', 'with files: together with what is in the cluster')
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['table', 'json'])
        .default('table'),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  aquifer analyze                  # the whole cluster\n  aquifer analyze -n shop\n  aquifer analyze -f routes.yaml\n  aquifer analyze -f routes.yaml --use-kube -o json',
    )
    .action(async (files: readonly string[], options: AnalyzeOptions) => {
      const paths = [...files, ...(options.filename ?? [])];
      const found = await messages(paths, options, () => context.cluster(command));
      context.stdout.write(options.output === 'json' ? asJson(found) : asTable(found));
      const errors = found.filter(({ level }) => level === 'Error').length;
      if (errors > 0) {
        throw new CliError(`the analysis found ${errors} error${errors === 1 ? '' : 's'}`);
      }
    });
}

async function messages(
  paths: readonly string[],
  { useKube = false, namespace }: { readonly useKube?: boolean; readonly namespace?: string },
  open: () => ReturnType<CliContext['cluster']>,
): Promise<PlacedMessage[]> {
  const cluster = paths.length === 0 || useKube ? await open() : null;
  const home = namespace ?? cluster?.defaultNamespace ?? 'default';
  const written = objectsOfFiles(paths, home);
  // What is in the files takes the place of what is in the cluster.
  const objects = new Map<string, SourcedObject>();
  for (const each of cluster === null ? [] : await objectsOfCluster(cluster)) {
    objects.set(keyOf(each.object), each);
  }
  for (const each of written) objects.set(keyOf(each.object), each);
  const files = new Set(written.map(({ object }) => keyOf(object)));
  const found = await analyzeObjects(Array.from(objects.values(), ({ object }) => object));
  return found.flatMap((message) => {
    const key = messageKey(message);
    // Of what was given in files those are meant, otherwise the namespace if one is named.
    const { object } = message;
    const isMeant =
      paths.length > 0 ? files.has(key) : namespace === undefined || object.namespace === namespace;
    return isMeant ? [{ ...message, file: objects.get(key)?.file ?? '' }] : [];
  });
}

function keyOf({ kind, metadata: { namespace = '', name } }: AnalyzedObject): string {
  return `${kind} ${namespace}/${name}`;
}

function messageKey({ object: { kind, namespace, name } }: AnalysisMessage): string {
  return `${kind} ${namespace}/${name}`;
}

function asJson(found: readonly PlacedMessage[]): string {
  const printed = found.map((message) => {
    const { code, name, level, path, message: text, file } = message;
    const origin = originOf(message);
    return {
      code,
      name,
      level,
      origin,
      path,
      message: text,
      ...(file !== '' && { reference: file }),
    };
  });
  return `${JSON.stringify(printed, null, 2)}\n`;
}

function asTable(found: readonly PlacedMessage[]): string {
  if (found.length === 0) return 'No validation issues found.\n';
  const rows = found.map((message) => [
    message.level,
    message.code,
    originOf(message),
    message.message,
  ]);
  return formatTable(['LEVEL', 'CODE', 'OBJECT', 'MESSAGE'], rows);
}

function originOf({ object: { kind, namespace, name } }: AnalysisMessage): string {
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}
