/**
 * Makes `dist/`: one JavaScript file for each program and each of its threads, and for what is loaded later, as images
 * and the sandbox run them. Sources are not run there: Node would need its TypeScript compiler in every thread, and
 * resolve hundreds of files. Plain JavaScript: it runs on the system's Node, too.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const DIST = join(ROOT, 'dist');
/** What the bundles were made from, with hashes; also the packages in each, with bytes. */
const RECORD = join(DIST, 'record.json');

/** Entries by the name of their folder in `dist/`; the file is called `main.mjs` there. */
const PROGRAMS = {
  ztunnel: 'packages/ztunnel/src/main.ts',
  waypoint: 'packages/waypoint/src/main.ts',
  'control-plane': 'packages/control-plane/src/main.ts',
  cli: 'packages/cli/src/main.ts',
  sandbox: 'packages/sandbox/src/main.ts',
  echo: 'packages/sandbox/src/images/echo/main.ts',
  'load-generator': 'packages/compare/src/load-generator/main.ts',
  'certificate-files': 'packages/control-plane-client/src/certificate-files/main.ts',
};

/** Programs that are on every node, or beside every namespace: each megabyte counts. */
const PROXIES = new Set(['ztunnel', 'waypoint', 'certificate-files']);

/** Built from the same versions of everything that they were last built from? */
function bundlesAreCurrent() {
  try {
    const { inputs } = JSON.parse(readFileSync(RECORD, 'utf8'));
    return Object.entries(inputs).every(([file, hash]) => hashOf(file) === hash);
  } catch {
    return false;
  }
}

/** Builds if anything has changed since the last time; `onBuild` is told before it does. */
export async function ensureBundles(onBuild = () => undefined) {
  if (bundlesAreCurrent()) return;
  onBuild();
  await buildBundles();
}

function hashOf(file) {
  return createHash('sha256')
    .update(readFileSync(join(ROOT, file)))
    .digest('base64');
}

async function buildBundles() {
  const { build } = await import('esbuild');
  const built = await Promise.all(
    Object.entries(PROGRAMS).map(([program, entry]) => bundleProgram(build, program, entry)),
  );
  const inputs = new Set(['package-lock.json', relative(ROOT, fileURLToPath(import.meta.url))]);
  for (const name of readdirSync(join(ROOT, 'packages'), { withFileTypes: true })) {
    if (name.isDirectory()) inputs.add(`packages/${name.name}/package.json`);
  }
  for (const { metafile } of built.flat()) {
    // Packages from elsewhere are pinned by the lock file.
    for (const file of Object.keys(metafile.inputs)) {
      if (file.startsWith('packages/')) inputs.add(file);
    }
  }
  const record = {
    inputs: Object.fromEntries([...inputs].map((file) => [file, hashOf(file)])),
    bundles: Object.fromEntries(built.flat().flatMap(contentsOf)),
  };
  const files = new Map(
    built
      .flatMap((results) => results.flatMap(({ outputFiles }) => outputFiles))
      .map(({ path, contents }) => [path, contents]),
  );
  for (const [path, contents] of files) replaceFile(path, contents);
  replaceFile(RECORD, JSON.stringify(record, null, 1));
  for (const file of readdirSync(DIST, { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath, file.name);
    if (file.isFile() && path !== RECORD && !files.has(path)) rmSync(path);
  }
}

/** The program, then the threads and processes that its modules start by `new URL('./name.ts', import.meta.url)`. */
async function bundleProgram(build, program, entry) {
  const results = [];
  const entries = new Map([['main', join(ROOT, entry)]]);
  // Grows while it is walked.
  for (const [name, file] of entries) {
    results.push(
      await build({
        entryPoints: [{ in: file, out: name }],
        outdir: join(DIST, program),
        outExtension: { '.js': '.mjs' },
        absWorkingDir: ROOT,
        bundle: true,
        platform: 'node',
        format: 'esm',
        target: 'node26',
        // Names stay, so that stack traces can be read without a map, which would cost memory when an error is logged.
        minifyWhitespace: true,
        minifySyntax: true,
        legalComments: 'none',
        sourcemap: 'linked',
        // What is imported while the program runs is loaded then, such as the commands of the CLI.
        splitting: true,
        chunkNames: 'chunk-[hash]',
        assetNames: '[name]',
        loader: { '.node': 'copy' },
        // CommonJS packages require Node's own modules.
        banner: {
          js: `import{createRequire as $createRequire}from'node:module';const require=$createRequire(import.meta.url);`,
        },
        plugins: [
          nativeModules,
          ourSources(entries),
          ...(PROXIES.has(program) ? [smallParts] : []),
        ],
        metafile: true,
        write: false,
        logLevel: 'warning',
      }),
    );
  }
  return results;
}

/** What our sources say that is put differently in a bundle. */
function ourSources(entries) {
  const thread = /new URL\('\.\/([\w-]+)\.ts', import\.meta\.url\)/g;
  const builtin = /^import (?!type )(?:\{([^}]*)\}|(\w+)) from '(node:[\w/]+)';$/gm;
  return {
    name: 'our-sources',
    setup({ onLoad }) {
      onLoad({ filter: /\/packages\/[^/]+\/src\/.*\.ts$/ }, ({ path }) => ({
        loader: 'ts',
        contents: readFileSync(path, 'utf8')
          // Threads and processes that a module starts become bundles of their own.
          .replace(thread, (_, name) => {
            entries.set(name, join(dirname(path), `${name}.ts`));
            return `new URL('./${name}.mjs', import.meta.url)`;
          })
          // An import reads every export of Node's module, and with them loads what each stands for: `node:http` has
          // WebSocket, which is all of undici. A thread of ztunnel needs 2 MB less without.
          .replace(builtin, (_, names, whole, module) => {
            const wanted = whole ?? `{ ${valuesOf(names)} }`;
            return `const ${wanted} = process.getBuiltinModule('${module}');`;
          }),
      }));
    },
  };
}

/** `type A, b, c as d` is `b, c: d`. */
function valuesOf(names) {
  return names
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type '))
    .map((name) => name.replace(' as ', ': '))
    .join(', ');
}

/** Packages that look for a compiled file get the one of this platform, which is copied beside the bundle. */
const nativeModules = {
  name: 'native-modules',
  setup({ onLoad }) {
    const { platform, arch } = process;
    onLoad({ filter: /\/node_modules\/koffi\/index\.js$/ }, () => ({
      contents: `export default require('@koromix/koffi-${platform}-${arch}/${platform}_${arch}/koffi.node');`,
    }));
    onLoad({ filter: /\/node-pty\/requireBinary\.js$/ }, () => ({
      contents: `exports.requireBinary = () => require('@lydell/node-pty-${platform}-${arch}/pty.node');`,
    }));
  },
};

/**
 * Packages of which the proxies use a small part, but load all. A name that is not here fails the build, so that nothing
 * is missing at run time.
 */
const smallParts = {
  name: 'small-parts',
  setup({ onLoad }) {
    const parts = [
      // To write a certificate request; the authority of the control plane needs the rest.
      [
        /\/node-forge\/lib\/index\.js$/,
        "import forge from './forge.js'; import './asn1.js'; export default { asn1: forge.asn1 };",
      ],
      [
        /\/prom-client\/index\.js$/,
        `export { default as Counter } from './lib/counter.js';
         export { default as Gauge } from './lib/gauge.js';
         export { default as Registry } from './lib/registry.js';`,
      ],
      // For services of gRPC that describe itself.
      [/\/@grpc\/proto-loader\/build\/src\/index\.js$/, 'export {};'],
    ];
    for (const [filter, contents] of parts) onLoad({ filter }, () => ({ contents }));
  },
};

/** File names below `dist/`, each with the bytes that every package has in it. */
function contentsOf({ metafile }) {
  return Object.entries(metafile.outputs)
    .filter(([path]) => path.endsWith('.mjs'))
    .map(([path, { inputs }]) => {
      const bytes = {};
      for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
        const name = packageOf(file);
        bytes[name] = (bytes[name] ?? 0) + bytesInOutput;
      }
      return [path.slice('dist/'.length), bytes];
    });
}

function packageOf(file) {
  const [, installed] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file) ?? [];
  if (installed !== undefined) return installed;
  const resources = file.startsWith('packages/model/src/resources/');
  return resources ? '@aquifer/model/resources' : `@aquifer/${file.split('/')[1]}`;
}

/** A process that starts meanwhile reads the old file or the new one, never a part. */
function replaceFile(path, contents) {
  const temporary = `${path}.${process.pid}`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const beganAt = Date.now();
  let isBuilt = false;
  await ensureBundles(() => {
    isBuilt = true;
  });
  console.log(isBuilt ? `built dist/ in ${Date.now() - beganAt} ms` : 'dist/ is current');
}
