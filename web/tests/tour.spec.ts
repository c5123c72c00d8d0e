/** A tour through the console on a real cluster, whose address is ATTICA_URL. */
import { AxeBuilder } from '@axe-core/playwright';
import { expect, type Locator, type Page } from '@playwright/test';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { app, call, make, makePod, podSettled, remove, removeGroup, removePod, settled } from './cluster';
import { HOSTILE } from './hostile';
import { expectClean, HIT, test, watch } from './watch';

/** Where screenshots go. */
const PICTURES = process.env.ATTICA_SCREENSHOTS ?? join(import.meta.dirname, 'results', 'screens');

const WEB = {
  id: '/tour/web',
  cmd: 'python3 -m http.server $PORT0',
  instances: 3,
  cpus: 0.1,
  mem: 32,
  labels: { HAPROXY_GROUP: 'external', HAPROXY_0_VHOST: 'tour.localhost' },
  healthChecks: [{ protocol: 'HTTP', path: '/', portIndex: 0, gracePeriodSeconds: 5, intervalSeconds: 2 }],
};
const WORKER = {
  id: '/tour/jobs/worker',
  cmd: 'while true; do date; echo oops >&2; sleep 1; done',
  instances: 6,
  cpus: 0.05,
  mem: 16,
  portDefinitions: [],
};
const HUGE = { id: '/tour/huge', cmd: 'sleep 600', instances: 2, cpus: 900, mem: 32 };
const CRASH = {
  id: '/tour/crash',
  cmd: 'echo I give up; sleep 1; exit 3',
  instances: 1,
  cpus: 0.05,
  mem: 16,
  maxLaunchDelaySeconds: 5,
};
const POD = {
  id: '/tour/pair',
  containers: [
    {
      name: 'server',
      exec: { command: { shell: 'python3 -m http.server $ENDPOINT_HTTP' } },
      resources: { cpus: 0.05, mem: 32 },
      endpoints: [{ name: 'http', hostPort: 0 }],
      healthCheck: { http: { endpoint: 'http', path: '/' }, delaySeconds: 0, intervalSeconds: 1 },
    },
    {
      name: 'talker',
      exec: { command: { shell: 'echo spoken; sleep 600' } },
      resources: { cpus: 0.02, mem: 16 },
    },
  ],
  executorResources: { cpus: 0.02, mem: 16, disk: 0 },
  networks: [{ mode: 'host' }],
  scaling: { kind: 'fixed', instances: 1 },
};
const GROUP = {
  id: '/tour-group',
  groups: [
    { id: 'back', apps: [{ id: 'store', cmd: 'sleep 600', instances: 1, cpus: 0.02, mem: 16, portDefinitions: [] }] },
    {
      id: 'front',
      dependencies: ['../back'],
      apps: [{ id: 'web', cmd: 'sleep 600', instances: 1, cpus: 0.02, mem: 16, portDefinitions: [] }],
    },
  ],
};
const TOURED = [WEB, WORKER, HUGE, CRASH];
/** Each carries its share of the hostile strings. */
const HOSTILE_APPS = Array.from({ length: 10 }, (_, index) => `/tour/hostile-${index}`);

async function write(page: Page, text: string): Promise<void> {
  await page.getByLabel('Definition, as JSON').fill(text);
}

/** What the server said would follow. */
function follows(page: Page): Locator {
  return page.getByRole('region', { name: 'What follows' });
}

test.afterAll(async () => {
  await removePod(POD.id);
  await removeGroup(GROUP.id);
  for (const id of [...TOURED.map((definition) => definition.id), ...HOSTILE_APPS]) await remove(id);
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

test('what would run is noticed', async ({ page }) => {
  const watched = await watch(page);
  await page.goto('about:blank');
  await page.setContent(HOSTILE.slice(0, 5).join(''));
  await expect.poll(() => watched.findings.length).toBeGreaterThan(0);
  await expect(expectClean(watched)).rejects.toThrow();
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
