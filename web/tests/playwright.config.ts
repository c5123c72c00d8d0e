import { defineConfig } from '@playwright/test';

/** One browser, one test after the other: they share a cluster and, here and there, two processors. */
export default defineConfig({
  testDir: '.',
  outputDir: 'results/artifacts',
  workers: 1,
  timeout: 300_000,
  expect: { timeout: 20_000 },
  reporter: [['list']],
  use: {
    baseURL: process.env.ATTICA_URL,
    actionTimeout: 20_000,
    navigationTimeout: 20_000,
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  projects: [
    { name: 'tour', testMatch: 'tour/*.spec.ts' },
    { name: 'size', testMatch: 'size.spec.ts' },
  ],
});
