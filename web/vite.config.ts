import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { compress } from './build/compress.ts';

/** Where `npm run dev` finds a service layer. */
const attica = process.env.ATTICA_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  base: '/ui/',
  plugins: [svelte(), compress()],
  build: {
    target: 'es2022',
    // A font or image inside a style sheet would be a data: address, which the content security policy refuses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { '/v2': attica } },
  preview: { proxy: { '/v2': attica } },
  test: { include: ['src/**/*.test.ts', 'tests/unit/**/*.test.ts'] },
});
