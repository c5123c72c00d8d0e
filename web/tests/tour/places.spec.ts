/** Where things are found: addresses, filters, keys, and what the console says when it is out of touch. */
import { expect } from '@playwright/test';
import { make, remove, settled } from '../cluster';
import { test } from '../watch';
import { WEB, WORKER } from './definitions';

test.afterAll(async () => {
  for (const { id } of [WEB, WORKER]) await remove(id);
});

test('places, filters and keys', async ({ watched }) => {
  const { page } = watched;
  await make(WORKER);
  await make(WEB);
  await settled(WORKER.id, 6);

  // What narrows the list is in the address, and back undoes it.
  await page.goto('/ui/apps');
  await page.locator(`a[href="/ui/apps${WORKER.id}"]`).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('worker');
  await expect(page).toHaveURL('/ui/apps?q=worker');
  await expect(page.locator(`a[href="/ui/apps${WORKER.id}"]`)).toHaveCount(1);
  await expect(page.locator(`a[href="/ui/apps${WEB.id}"]`)).toHaveCount(0);
  await page.keyboard.press('Escape');
  await expect(page).toHaveURL('/ui/apps');
  await page.getByRole('button', { name: /^Running/ }).click();
  await expect(page).toHaveURL('/ui/apps?status=running');
  await page.goBack();
  await expect(page).toHaveURL('/ui/apps');

  // By keys alone to an app, its log, and away.
  await page.keyboard.press('Control+k');
  await page.keyboard.type('jobs/worker');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(`/ui/apps${WORKER.id}`);
  await page.keyboard.press('2');
  await expect(page).toHaveURL(`/ui/apps${WORKER.id}?tab=log`);
  await page.keyboard.press('o');
  await expect(page.getByRole('region', { name: 'Log' })).toContainText('oops');
  await page.keyboard.press('g');
  await page.keyboard.press('m');
  await expect(page).toHaveURL('/ui/agents');
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog')).toContainText('Go to Overview');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await page.goBack();
  await expect(page).toHaveURL(new RegExp(`^[^?]*/ui/apps${WORKER.id}\\?tab=log`));

  // The map says the same as the list does.
  await page.goto('/ui/agents');
  await expect(page.getByRole('img', { name: /^On / }).first()).toBeVisible();
  await page.keyboard.press('v');
  await expect(page).toHaveURL('/ui/agents?colour=app');
});

test('what is out of touch says so', async ({ watched }) => {
  const { page, findings } = watched;
  await page.goto('/ui/apps');
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  // The stream breaks: what is there stays, and says that it may be old.
  await page.context().setOffline(true);
  await expect(page.getByText(/^Out of touch since/)).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Apps' })).toBeVisible();
  await page.context().setOffline(false);
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  // Nothing answers from the start.
  await page.route('**/v2/**', (route) => route.abort());
  await page.goto('/ui/');
  await expect(page.getByText('Nothing could be read from the cluster.')).toBeVisible();
  await page.unroute('**/v2/**');
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
  // Calls that were cut off are what this test is about.
  findings.splice(0, findings.length, ...findings.filter((finding) => !finding.includes('net::ERR_')));
});
