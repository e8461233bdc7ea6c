import { type Command, Option } from 'commander';
import type { CliContext } from '../context.ts';
import { formatTable } from '../output/table.ts';
import { sandboxImages, sandboxPaths } from '../sandbox-process.ts';

const EXAMPLES = `
Examples:
  docker save shop/cart:v7 -o cart.tar && aquifer sandbox images load cart.tar
  aquifer sandbox images pull registry.example.com/shop/cart:v7
  aquifer sandbox images list`;

/** `aquifer sandbox images`: what pods may run beside the sandbox's own programs. */
export function addSandboxImages(sandbox: Command, context: CliContext): void {
  const group = sandbox
    .command('images')
    .description('Images of your own: load them from archives, pull them, list them')
    .addHelpText('after', EXAMPLES);
  group
    .command('load')
    .description(
      'Load images from archives, as docker, podman and buildah save them (docker or OCI)',
    )
    .argument('<archive...>', 'tar files, or directories of an OCI layout')
    .addHelpText('after', '\nExample:\n  aquifer sandbox images load cart.tar stock.tar')
    .action((archives: string[]) => store(context, 'load', archives));
  group
    .command('pull')
    .description(
      'Pull images from registries that ask for no login; pods do so themselves when they need one',
    )
    .argument('<name...>', 'names of images')
    .addHelpText('after', '\nExample:\n  aquifer sandbox images pull localhost:5000/shop/cart:v7')
    .action((names: string[]) => store(context, 'pull', names));
  group
    .command('list')
    .description('List the images that were loaded or pulled')
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['short', 'json'])
        .default('short'),
    )
    .addHelpText('after', '\nExample:\n  aquifer sandbox images list')
    .action((options: { output: string }) => list(context, options.output));
}

async function store(
  { env, progress, stdout }: CliContext,
  verb: 'load' | 'pull',
  sources: readonly string[],
): Promise<void> {
  for (const source of sources) {
    const images = await progress.step(source, () =>
      sandboxImages(sandboxPaths(env), env, [verb, source]),
    );
    for (const { name } of images) stdout.write(`${name}\n`);
  }
}

async function list({ env, stdout }: CliContext, output: string): Promise<void> {
  const images = await sandboxImages(sandboxPaths(env), env, ['list']);
  if (output === 'json') {
    stdout.write(`${JSON.stringify(images, null, 2)}\n`);
    return;
  }
  const rows = images.map(({ name, id, layers }) => [name, id.slice(7, 19), String(layers)]);
  stdout.write(formatTable(['IMAGE', 'ID', 'LAYERS'], rows));
}
