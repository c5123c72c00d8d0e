/** Every screen as it looks, in both themes and three widths. */
import { AxeBuilder } from '@axe-core/playwright';
import { expect } from '@playwright/test';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { app, call, make, makePod, podSettled, remove, removePod, settled } from '../cluster';
import { expectClean, test } from '../watch';
import { HUGE, POD, TOURED, WEB, WORKER } from './definitions';
import { follows } from './editor';

/** Where screenshots go. */
const PICTURES = process.env.ATTICA_SCREENSHOTS ?? join(import.meta.dirname, '..', 'results', 'screens');

test.afterAll(async () => {
  await removePod(POD.id);
  for (const { id } of TOURED) await remove(id);
});

test('every screen, in both themes and three widths, without serious faults of accessibility', async ({
  watched,
  page,
}) => {
  test.setTimeout(900_000);
  for (const definition of TOURED) await make(definition);
  await makePod(POD);
  await settled(WEB.id, 3);
  await settled(WORKER.id, 6);
  await expect.poll(async () => (await app(WEB.id))?.tasksHealthy).toBe(3);
  await podSettled(POD.id, 1);
  await call('PUT', `/v2/apps/${WEB.id}`, { env: { COLOUR: 'blue' }, instances: 4 });
  await settled(WEB.id, 4);
  mkdirSync(PICTURES, { recursive: true });

  const SCREENS: readonly { name: string; path: string; ready: string; act?: () => Promise<void> }[] = [
    { name: 'overview', path: '/ui/', ready: 'text=All events' },
    { name: 'apps', path: '/ui/apps', ready: `a[href="/ui/apps${WEB.id}"]` },
    { name: 'apps-empty', path: '/ui/apps?q=nothing-is-called-so', ready: 'text=No app matches' },
    { name: 'instances', path: `/ui/apps${WEB.id}`, ready: 'role=table[name="Instances"]' },
    { name: 'log', path: `/ui/apps${WORKER.id}?tab=log`, ready: '.chunk' },
    { name: 'why', path: `/ui/apps${HUGE.id}?tab=why`, ready: 'text=too little cpu' },
    { name: 'configuration', path: `/ui/apps${WEB.id}?tab=configuration`, ready: 'pre' },
    { name: 'versions', path: `/ui/apps${WEB.id}?tab=versions`, ready: '.diff' },
    { name: 'traffic', path: `/ui/apps${WEB.id}?tab=traffic`, ready: 'text=/Requests|No load balancer/' },
    {
      name: 'shell',
      path: `/ui/apps${WEB.id}?tab=shell`,
      ready: 'role=button[name="Open"]',
      act: async () => {
        await page.getByRole('button', { name: 'Open', exact: true }).click();
        await page.getByRole('button', { name: 'Close', exact: true }).waitFor();
        await page.locator('.xterm-rows').getByText(/[#$]/).first().waitFor();
      },
    },
    {
      name: 'create',
      path: '/ui/new?kind=pod',
      ready: 'textarea',
      act: async () => {
        await page.getByRole('button', { name: 'Review', exact: true }).click();
        await follows(page).waitFor();
      },
    },
    {
      name: 'edit',
      path: `/ui/edit${WEB.id}`,
      ready: 'textarea',
      act: async () => {
        await page
          .getByLabel('Definition, as JSON')
          .fill('{\n  "id": "/tour/web",\n  "cmd": "x",\n  "instances": -1,\n  "mem": "much"\n}');
        await page.getByRole('button', { name: 'Review', exact: true }).click();
        await page.locator('.line.wrong').first().waitFor();
      },
    },
    { name: 'pod', path: `/ui/pods${POD.id}`, ready: 'role=table' },
    { name: 'group', path: '/ui/apps?in=/tour', ready: 'role=region[name="Group /tour"]' },
    { name: 'deployments', path: '/ui/deployments', ready: `text=Scale ${HUGE.id}` },
    { name: 'machines', path: '/ui/agents', ready: 'canvas' },
    { name: 'events', path: '/ui/events', ready: 'role=listitem' },
    { name: 'missing', path: '/ui/apps/nothing/here', ready: 'text=There is no app' },
    { name: 'palette', path: `/ui/apps${WEB.id}`, ready: 'role=table', act: () => page.keyboard.press('Control+k') },
    { name: 'keys', path: '/ui/apps', ready: `a[href="/ui/apps${WEB.id}"]`, act: () => page.keyboard.press('?') },
    {
      name: 'destroy',
      path: `/ui/apps${WEB.id}`,
      ready: 'role=table',
      act: () => page.getByRole('button', { name: 'Destroy' }).click(),
    },
  ];
  const problems: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [width, height] of [
      [390, 844],
      [1024, 768],
      [1600, 1000],
    ] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize({ width, height });
      for (const { name, path, ready, act } of SCREENS) {
        await page.goto(path);
        await page.locator(ready).first().waitFor();
        await act?.();
        const where = `${name}-${width}-${colorScheme}`;
        await page.evaluate(() => document.fonts.ready);
        await page.screenshot({ path: join(PICTURES, `${where}.png`), animations: 'disabled' });
        const overflow = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        if (overflow > 0) problems.push(`${where}: ${overflow} px wider than the window`);
        const { violations } = await new AxeBuilder({ page }).analyze();
        for (const { id, impact, nodes } of violations) {
          if (impact !== 'serious' && impact !== 'critical') continue;
          problems.push(
            `${where}: ${id} (${impact}): ${nodes
              .slice(0, 2)
              .map((node) => node.html.slice(0, 160))
              .join(' | ')}`,
          );
        }
      }
    }
  }
  expect(problems).toEqual([]);
  await expectClean(watched);
});
