/** Strings of an attacker, in every place that shows what somebody wrote. */
import { expect } from '@playwright/test';
import { call, make, remove, settled } from '../cluster';
import { HOSTILE } from '../hostile';
import { expectClean, HIT, test, watch } from '../watch';
import { write } from './editor';

/** Each carries its share of the hostile strings. */
const HOSTILE_APPS = Array.from({ length: 10 }, (_, index) => `/tour/hostile-${index}`);

test.afterAll(async () => {
  for (const id of HOSTILE_APPS) await remove(id);
});

test('what would run is noticed', async ({ page }) => {
  const watched = await watch(page);
  await page.goto('about:blank');
  await page.setContent(HOSTILE.slice(0, 5).join(''));
  await expect.poll(() => watched.findings.length).toBeGreaterThan(0);
  await expect(expectClean(watched)).rejects.toThrow();
});

test('three hundred hostile strings stay text', async ({ watched }) => {
  const { page } = watched;
  test.setTimeout(900_000);
  expect(HOSTILE).toHaveLength(300);

  // As ids: refused in words that are shown as words.
  await page.goto('/ui/new');
  for (const text of HOSTILE.filter((_, index) => index % 10 === 0)) {
    await write(page, JSON.stringify({ id: text, cmd: 'true' }));
    await page.getByRole('button', { name: 'Review', exact: true }).click();
    await expect(page.locator('.faults')).not.toBeEmpty();
  }
  await expectClean(watched);
  const made = await Promise.all(
    HOSTILE.map(async (text) => (await call('POST', '/v2/apps', { id: text, cmd: 'true', instances: 0 })).status),
  );
  expect(
    made.filter((status) => status === 201),
    'no hostile string is an id',
  ).toEqual([]);

  // In addresses, as ids, filters and tabs.
  for (const text of HOSTILE.filter((_, index) => index % 6 === 0)) {
    const part = encodeURIComponent(text);
    for (const path of [
      `/ui/apps/${part}`,
      `/ui/edit/${part}`,
      `/ui/pods/${part}`,
      `/ui/edit-group/${part}`,
      `/ui/apps?in=/${part}&show=versions`,
      `/ui/apps?q=${part}&in=${part}&status=${part}`,
      `/ui/agents?q=${part}&by=${part}`,
      `/ui/events?q=${part}`,
      `/ui/new?from=${part}`,
      `/ui/${part}`,
    ]) {
      await page.evaluate((to) => {
        history.pushState(null, '', to);
        dispatchEvent(new PopStateEvent('popstate'));
      }, path);
    }
  }
  await expectClean(watched);

  // As names and values of labels and variables, as output, and in what all of these are shown by.
  const escaped = (text: string) => text.replaceAll('\\', '\\\\').replaceAll("'", "'\\''");
  for (const [group, id] of HOSTILE_APPS.entries()) {
    const mine = HOSTILE.filter((_, index) => index % HOSTILE_APPS.length === group);
    const printed = mine
      .map((text) => `printf '%b\\n' '${escaped(text)}'; printf '%b\\n' '${escaped(text)}' >&2`)
      .join('; ');
    const [labels, env] = [
      Object.fromEntries(mine.map((text, index) => [`${index} ${text}`, text])),
      Object.fromEntries(mine.map((text, index) => [`HOSTILE_${index}`, text])),
    ];
    await make({
      id,
      cmd: `${printed}; sleep 600`,
      instances: 1,
      cpus: 0.02,
      mem: 16,
      labels,
      env,
      portDefinitions: [],
    });
  }
  for (const [group, id] of HOSTILE_APPS.entries()) {
    await settled(id, 1);
    await call('PUT', `/v2/apps/${id}`, { labels: { other: HOSTILE[group] } });
  }
  for (const id of HOSTILE_APPS) await settled(id, 1);
  for (const [group, id] of HOSTILE_APPS.entries()) {
    for (const tab of ['', '?tab=configuration', '?tab=versions', '?tab=log', '?tab=log&file=stderr']) {
      await page.goto(`/ui/apps${id}${tab}`);
      await page
        .locator(tab.includes('log') ? '.chunk' : tab.includes('versions') ? '.diff' : 'h1')
        .first()
        .waitFor();
      if (tab.includes('log')) await expect(page.getByRole('region', { name: 'Log' })).toContainText(HIT);
      if (tab.includes('versions')) {
        await expect(page.locator('.diff')).toContainText(`"other": ${JSON.stringify(HOSTILE[group])}`);
      }
      await expectClean(watched);
    }
    await page.goto(`/ui/edit${id}`);
    await page.locator('textarea').waitFor();
    await expectClean(watched);
  }
  for (const path of ['/ui/', '/ui/apps', '/ui/events', '/ui/agents?colour=app', '/ui/deployments']) {
    await page.goto(path);
    await page.locator('h1').waitFor();
    await expect(page.getByText('Live', { exact: true })).toBeVisible();
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Find or do' }).fill(HOSTILE[2] ?? '');
    await page.keyboard.press('Escape');
    await expectClean(watched);
  }
});
