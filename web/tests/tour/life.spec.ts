/** Apps, pods, groups and deployments, from their creation to their end, on a real cluster. */
import { expect } from '@playwright/test';
import { app, call, make, podSettled, remove, removeGroup, removePod, settled } from '../cluster';
import { test } from '../watch';
import { GROUP, HUGE, POD, UNREADY } from './definitions';
import { follows, write } from './editor';

test.afterAll(async () => {
  await removePod(POD.id);
  await removeGroup(GROUP.id);
  await remove(HUGE.id);
  await remove(UNREADY.id);
});

test('an app from its creation to its end', async ({ watched }) => {
  const { page } = watched;
  const id = '/tour/life';
  await remove(id);

  // Created; what the server refuses stands at its line.
  await page.goto('/ui/apps');
  await page.getByRole('link', { name: 'Create', exact: true }).click();
  await write(
    page,
    JSON.stringify(
      { id, cmd: 'echo begun; sleep 600', instances: 1, cpus: -1, mem: 16, constraints: [['hostname', 'NEAR']] },
      null,
      2,
    ),
  );
  await page.getByRole('button', { name: 'Review', exact: true }).click();
  await expect(page.locator('.faults')).toContainText('/cpus');
  await expect(page.locator('.faults')).toContainText('/constraints(0)');
  await expect(page.locator('.line.wrong').filter({ hasText: '"cpus"' })).toHaveCount(1);
  await expect(page.locator('.line.wrong')).toHaveCount(2);
  // What is no JSON is said while it is typed.
  await write(page, '{"id": "/x",}');
  await expect(page.locator('.line.wrong')).toHaveCount(1);
  await expect(page.getByRole('button', { name: 'Review', exact: true })).toBeDisabled();
  await write(page, JSON.stringify({ id, cmd: 'echo begun; sleep 600', instances: 1, cpus: 0.05, mem: 16 }, null, 2));
  // Reviewed, then made.
  await page.getByLabel('Definition, as JSON').press('Control+Enter');
  await expect(follows(page)).toContainText(`${id} is created`);
  await expect(follows(page).getByRole('list', { name: 'Placement' })).toContainText(id);
  expect(await app(id)).toBeNull();
  await page.getByLabel('Definition, as JSON').press('Control+Enter');
  await expect(page).toHaveURL(`/ui/apps${id}`);
  await expect(page.getByRole('table', { name: 'Instances' }).getByRole('row')).toHaveCount(2);
  await settled(id, 1);
  await expect(page.getByText('1 of 1 running')).toBeVisible();

  // Its output.
  await page.getByRole('link', { name: 'Log', exact: true }).first().click();
  await expect(page.getByRole('region', { name: 'Log' })).toContainText('begun');

  // A shell in it, and the way out of one.
  await page.keyboard.press('7');
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await expect(page.locator('.xterm-helper-textarea')).toBeFocused();
  // Colours of its own as well: a style attribute would be refused.
  await page.keyboard.type("printf '\\033[38;2;1;2;3m%s\\033[0m\\n' $((6*7))\n");
  await expect(page.locator('.xterm-rows')).toContainText('42');
  await page.keyboard.press('Shift+Escape');
  await expect(page.getByRole('button', { name: 'Close', exact: true })).toBeFocused();
  await page.locator('.xterm-screen').click();
  await page.keyboard.type('exit 7\n');
  await expect(page.getByText('It has ended with exit status 7.')).toBeVisible();

  // Scaled with the keyboard; the page follows.
  await page.keyboard.press('1');
  await page.keyboard.press('s');
  await page.getByRole('spinbutton', { name: 'Instances' }).fill('3');
  await page.keyboard.press('Enter');
  await expect(page.getByText('3 of 3 running')).toBeVisible();
  expect((await app(id))?.instances).toBe(3);

  // Edited; the two versions compared, and the first brought back.
  await settled(id, 3);
  await page.keyboard.press('e');
  const editor = page.getByLabel('Definition, as JSON');
  await editor.fill((await editor.inputValue()).replace('echo begun', 'echo changed'));
  await page.getByRole('button', { name: 'Review', exact: true }).click();
  await expect(follows(page)).toContainText('/cmd');
  await expect(follows(page)).toContainText(`Replace ${id}`);
  await page.getByRole('button', { name: 'Save and deploy' }).click();
  await expect(page).toHaveURL(`/ui/apps${id}`);
  await settled(id, 3);
  await page.getByRole('link', { name: 'Versions' }).click();
  const diff = page.getByRole('region', { name: 'What changed' });
  await expect(diff.locator('.gone')).toContainText('echo begun');
  await expect(diff.locator('.new')).toContainText('echo changed');
  await page
    .getByRole('button', { name: /^Roll back to/ })
    .first()
    .click();
  await page.getByRole('button', { name: 'Roll back', exact: true }).click();
  await expect.poll(async () => (await app(id))?.cmd).toContain('echo begun');
  await settled(id, 3);

  // One instance ended; another one takes its place.
  await page.getByRole('link', { name: 'Instances' }).click();
  const first = page.getByRole('button', { name: /^End instance/ }).first();
  const ended = (await first.getAttribute('aria-label')) ?? '';
  await first.click();
  await page.getByRole('button', { name: 'End', exact: true }).click();
  await expect(page.getByRole('button', { name: ended, exact: true })).toHaveCount(0);
  await settled(id, 3);

  // Restarted through the palette.
  const before = await call('GET', `/v2/apps/${id}/tasks`);
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox', { name: 'Find or do' }).fill('restart');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Restart' }).last().click();
  await expect
    .poll(
      async () => {
        const after = await call('GET', `/v2/apps/${id}/tasks`);
        const ids = (answer: typeof after) => (answer.body.tasks as { id: string }[]).map((task) => task.id);
        return ids(after).some((task) => ids(before).includes(task));
      },
      { timeout: 60_000 },
    )
    .toBe(false);
  await settled(id, 3);

  // Destroyed, when its id is typed.
  await page.getByRole('button', { name: 'Destroy' }).click();
  const confirm = page.getByRole('dialog').getByRole('button', { name: 'Destroy' });
  await expect(confirm).toBeDisabled();
  await page.getByRole('dialog').getByRole('textbox').fill(id);
  await confirm.click();
  await expect(page).toHaveURL('/ui/apps');
  await expect.poll(() => app(id), { timeout: 60_000 }).toBeNull();
  await expect(page.locator(`a[href="/ui/apps${id}"]`)).toHaveCount(0);
});

test('a pod from its creation to its end', async ({ watched }) => {
  const { page } = watched;
  await removePod(POD.id);

  // Created, when it is reviewed; its containers are told one by one.
  await page.goto('/ui/apps');
  await page.getByRole('link', { name: 'Create', exact: true }).click();
  await page.getByRole('link', { name: 'pod', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Create a pod' })).toBeVisible();
  await write(page, JSON.stringify(POD, null, 2));
  await page.getByRole('button', { name: 'Review', exact: true }).click();
  await expect(follows(page)).toContainText(`${POD.id} is created`);
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(page).toHaveURL(`/ui/pods${POD.id}`);
  await podSettled(POD.id, 1);
  await expect(page.getByText('1 of 1 running')).toBeVisible();
  await expect(page.getByText(/^Stable since/)).toBeVisible();
  const containers = page.getByRole('table', { name: /^Containers of/ });
  await expect(containers.getByRole('row').filter({ hasText: 'server' })).toContainText('healthy');
  await expect(containers.getByRole('link', { name: /^http / })).toHaveAttribute('href', /^http:\/\/[^/]+:\d+\/$/);

  // The output of one container, and a program in it.
  await page.getByRole('link', { name: 'Log of talker' }).click();
  await expect(page.getByRole('region', { name: 'Log' })).toContainText('spoken');
  await page.keyboard.press('1');
  await page.getByRole('link', { name: 'Shell in talker' }).click();
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await expect(page.locator('.xterm-helper-textarea')).toBeFocused();
  await page.keyboard.type('exit 5\n');
  await expect(page.getByText('It has ended with exit status 5.')).toBeVisible();

  // Scaled with the keyboard.
  await page.keyboard.press('1');
  await page.keyboard.press('s');
  await page.getByRole('spinbutton', { name: 'Instances' }).fill('2');
  await page.keyboard.press('Enter');
  await expect(page.getByText('2 of 2 running')).toBeVisible();
  await podSettled(POD.id, 2);

  // Edited while another one writes: that is not lost unseen.
  await page.keyboard.press('e');
  const editor = page.getByLabel('Definition, as JSON');
  await editor.fill((await editor.inputValue()).replace('echo spoken', 'echo said'));
  await call('PUT', `/v2/pods${POD.id}`, { ...POD, scaling: { kind: 'fixed', instances: 1 } });
  await podSettled(POD.id, 1);
  await page.getByRole('button', { name: 'Review', exact: true }).click();
  await expect(page.getByText(`${POD.id} was changed while you wrote.`)).toBeVisible();
  await expect(page.getByRole('region', { name: 'What changed meanwhile' }).locator('.new')).toContainText('1');
  await page.getByRole('button', { name: 'Keep my text over it' }).click();
  await expect(follows(page)).toContainText('/scaling/instances');
  await expect(follows(page).locator('.new')).toContainText('echo said');
  await page.getByRole('button', { name: 'Save and deploy' }).click();
  await expect(page).toHaveURL(`/ui/pods${POD.id}`);
  await podSettled(POD.id, 2);
  await page.getByRole('link', { name: 'Versions' }).click();
  await expect(page.getByRole('region', { name: 'What changed' }).locator('.new')).toContainText(['echo said', '2']);

  // Found by its name, and destroyed.
  await page.goto('/ui/apps');
  await page.locator(`a[href="/ui/pods${POD.id}"]`).click();
  await page.getByRole('button', { name: 'Destroy' }).click();
  await page.getByRole('dialog').getByRole('textbox').fill(POD.id);
  await page.getByRole('dialog').getByRole('button', { name: 'Destroy' }).click();
  await expect(page).toHaveURL('/ui/apps');
  await expect(page.locator(`a[href="/ui/pods${POD.id}"]`)).toHaveCount(0, { timeout: 60_000 });
});

test('a group from its creation to its end', async ({ watched }) => {
  const { page } = watched;
  const [back, front] = [`${GROUP.id}/back/store`, `${GROUP.id}/front/web`];
  await removeGroup(GROUP.id);
  await page.goto('/ui/new?kind=group');
  await write(page, JSON.stringify(GROUP, null, 2));
  await page.getByRole('button', { name: 'Review', exact: true }).click();
  // Both apps, and what one group waits for.
  await expect(follows(page).getByRole('list', { name: 'Changes' }).getByRole('listitem')).toHaveCount(3);
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(page).toHaveURL(`/ui/apps?in=${GROUP.id}`);
  const head = page.getByRole('region', { name: `Group ${GROUP.id}` });
  await expect(head).toBeVisible();
  await expect(page.locator(`a[href="/ui/apps${front}"]`)).toBeVisible();
  await settled(back, 1);
  await settled(front, 1);

  // Scaled as a whole: who is scaled to what is said before.
  await head.getByRole('button', { name: 'Scale group' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog).toContainText(front);
  await dialog.getByRole('button', { name: 'Scale', exact: true }).click();
  await settled(front, 2);
  await settled(back, 2);

  // Brought back to what it was.
  await head.getByRole('link', { name: 'Group versions' }).click();
  await page
    .getByRole('button', { name: /^Roll back to/ })
    .first()
    .click();
  await dialog.getByRole('button', { name: 'Roll back', exact: true }).click();
  await expect.poll(async () => (await app(front))?.instances).toBe(1);
  await settled(back, 1);
  await settled(front, 1);

  // What must be deployed before, and whose role it uses.
  await page.goto(`/ui/apps?in=${GROUP.id}/front`);
  await expect(page.getByRole('region', { name: `Group ${GROUP.id}/front` })).toContainText(`${GROUP.id}/back`);
  await page.goto(`/ui/apps?in=${GROUP.id}`);
  await head.getByRole('checkbox').check();
  await expect.poll(async () => (await call('GET', `/v2/groups${GROUP.id}`)).body.enforceRole).toBe(true);

  // Destroyed, with all that are hit named.
  await head.getByRole('button', { name: 'Destroy group' }).click();
  await expect(dialog).toContainText(`${back} is destroyed`);
  await expect(dialog).toContainText(`${front} is destroyed`);
  await dialog.getByRole('textbox').fill(GROUP.id);
  await dialog.getByRole('button', { name: 'Destroy', exact: true }).click();
  await expect(page).toHaveURL('/ui/apps');
  await expect.poll(async () => (await call('GET', `/v2/groups${GROUP.id}`)).status, { timeout: 60_000 }).toBe(404);
});

test('a deployment is followed and ended', async ({ watched }) => {
  const { page } = watched;
  await make(HUGE);
  await page.goto('/ui/deployments');
  const card = page.locator('li.card').filter({ hasText: HUGE.id });
  await expect(card).toContainText(`Scale ${HUGE.id}`);
  // What its instances wait for.
  await card.getByText('Instances', { exact: true }).click();
  await expect(card.getByText('waits for an offer').first()).toBeVisible();
  // Held, and let go on.
  await card.getByRole('button', { name: 'Pause', exact: true }).click();
  await expect(card).toContainText('Paused');
  await card.getByRole('button', { name: 'Resume', exact: true }).click();
  await expect(card).not.toContainText('Paused');
  await card.getByRole('button', { name: 'Roll back or stop' }).click();
  await page.getByText('Stop where it stands').click();
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await expect(card).toHaveCount(0);
  // What became of it.
  const ended = page.getByRole('list', { name: 'Ended deployments' }).getByRole('listitem');
  await expect(ended.filter({ hasText: HUGE.id }).first()).toContainText('Cancelled');
});

test('what a readiness check was answered is shown', async ({ watched }) => {
  const { page } = watched;
  await make(UNREADY);
  await page.goto(`/ui/apps${UNREADY.id}`);
  const readiness = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Readiness' }) });
  await expect(readiness).toContainText('0 of 1 said that they are ready');
  const found = readiness.getByRole('listitem');
  await expect(found).toContainText('warm');
  await expect(found).toContainText('not ready yet');
  await expect(found).toContainText('last answer 404, text/html');
  // What an instance answers is text, whatever it looks like.
  await expect(found.locator('pre')).toContainText('<title>Error response</title>');
  await remove(UNREADY.id);
});

test('secrets and callbacks are set and removed, and what is refused says why', async ({ watched }) => {
  const { page } = watched;
  const secret = '/tour/secret';
  await call('DELETE', `/v2/secrets${secret}`);
  await page.goto('/ui/secrets');
  await page.getByRole('button', { name: 'Set a secret' }).click();
  const setting = page.getByRole('dialog', { name: 'Set a secret' });
  await setting.getByLabel('Path').fill('/tour/not a path');
  await setting.getByLabel('Value').fill('x');
  await setting.getByRole('button', { name: 'Set', exact: true }).click();
  await expect(setting.getByRole('alert')).toBeVisible();
  await setting.getByLabel('Path').fill(secret);
  await setting.getByRole('button', { name: 'Set', exact: true }).click();
  await expect(setting).toHaveCount(0);
  await expect(page.getByRole('rowheader', { name: secret })).toBeVisible();
  await page.getByRole('button', { name: `Delete ${secret}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
  await expect(page.getByRole('rowheader', { name: secret })).toHaveCount(0);

  const url = 'http://127.0.0.1:9/tour';
  await page.goto('/ui/callbacks');
  await page.getByRole('button', { name: 'Add a URL' }).click();
  await page.getByRole('dialog').getByLabel('URL', { exact: true }).fill(url);
  await page.getByRole('dialog').getByRole('button', { name: 'Add', exact: true }).click();
  await expect(page.getByRole('rowheader', { name: url })).toBeVisible();
  await page.getByRole('button', { name: `Remove ${url}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(page.getByRole('rowheader', { name: url })).toHaveCount(0);
});
