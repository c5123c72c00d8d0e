import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

/** What is compressed already stays as it is. */
const PLAIN = /\.(br|gz|woff2|png)$/;

/**
 * Puts `x.br` and `x.gz` beside each file that gets smaller, so that no server compresses at run time.
 * Both, because browsers offer Brotli over TLS and to loopback only.
 */
export function compress(): Plugin {
  let directory = '';
  return {
    name: 'compress',
    apply: 'build',
    configResolved(config) {
      directory = resolve(config.root, config.build.outDir);
    },
    async closeBundle() {
      const entries = await readdir(directory, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile() && !PLAIN.test(entry.name));
      const sizes = await Promise.all(files.map((file) => compressFile(join(file.parentPath, file.name))));
      const total = sizes.reduce((sum, size) => sum + size, 0);
      console.log(`code, compressed: ${(total / 1024).toFixed(1)} KB`);
    },
  };
}

/** The number of bytes that a browser loads. */
async function compressFile(path: string): Promise<number> {
  const bytes = await readFile(path);
  const small = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  if (small.length >= bytes.length) return bytes.length;
  await Promise.all([writeFile(`${path}.br`, small), writeFile(`${path}.gz`, gzipSync(bytes, { level: 9 }))]);
  return small.length;
}
