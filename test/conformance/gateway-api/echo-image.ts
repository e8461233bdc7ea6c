import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { imageOf, layerOf, writeImageArchive } from '../../fixtures/image-archive.ts';
import type { SuitePrograms } from './programs.ts';

/** An archive with the image of the suite's pods: server and client, and the certificate that the server is told to use. */
export function writeEchoImage({ echo, image }: SuitePrograms, path: string): void {
  const root = mkdtempSync(join(tmpdir(), 'echo-image-'));
  try {
    const programs = join(root, 'usr', 'local', 'bin');
    mkdirSync(programs, { recursive: true });
    for (const [name, program] of Object.entries(echo)) copyFileSync(program, join(programs, name));
    mkdirSync(join(root, 'etc'));
    mkdirSync(join(root, 'tmp'));
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=echo'],
        ...['-keyout', join(root, 'cert.key'), '-out', join(root, 'cert.crt')],
      ],
      { stdio: 'ignore' },
    );
    const config = { Entrypoint: ['/usr/local/bin/server'], Env: ['PATH=/usr/local/bin'] };
    writeImageArchive(imageOf([layerOf(root)], config), image, path);
  } finally {
    rmSync(root, { recursive: true });
  }
}
