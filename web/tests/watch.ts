/** A page under suspicion: whatever would show that something foreign ran in it is written down. */
import { test as base, expect, type Page } from '@playwright/test';

export interface Watched {
  page: Page;
  /** What happened that must not. */
  findings: string[];
}

/** The name of the function that hostile strings call. */
export const HIT = 'atticaHit';
/** The name of the element that hostile strings try to make. */
export const ELEMENT = 'x-attica-hit';

/**
 * An address that fails on purpose is no finding: a refused write, a log that is gone. Nor is one that the browser gave up since the
 * machine's network interfaces changed: the console asks again.
 */
const EXPECTED_FAILURE =
  /Failed to load resource: (the server responded with a status of (400|404|409|412|422)|net::ERR_NETWORK_CHANGED)/;

export async function watch(page: Page): Promise<Watched> {
  const findings: string[] = [];
  await page.exposeFunction(HIT, (what: unknown) => findings.push(`a foreign script ran: ${String(what)}`));
  await page.exposeFunction('atticaViolation', (what: string) => findings.push(`content security policy: ${what}`));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      const report = (window as unknown as { atticaViolation: (what: string) => void }).atticaViolation;
      report(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
    });
  });
  page.on('dialog', (dialog) => {
    findings.push(`a dialog opened: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('pageerror', (error) => findings.push(`an error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && !EXPECTED_FAILURE.test(message.text()))
      findings.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    const own = process.env.ATTICA_URL ? new URL(process.env.ATTICA_URL).origin : url.origin;
    if (url.origin !== own && url.protocol !== 'data:') findings.push(`a request elsewhere: ${request.url()}`);
  });
  return { page, findings };
}

/** Nothing foreign ran, and nothing foreign is on the page. */
export async function expectClean({ page, findings }: Watched): Promise<void> {
  const foreign = await page.evaluate((element) => {
    const selector = `${element}, iframe, object, embed, form[action], script:not([src^="/ui/"]), base, style, [onerror], [onload], [onclick], [onmouseover], [onfocus], a[href^="javascript:" i]`;
    return [...document.querySelectorAll(selector)].map((found) => found.outerHTML.slice(0, 200));
  }, ELEMENT);
  expect(foreign, 'elements that do not belong to the console').toEqual([]);
  expect(findings, 'what happened on the page').toEqual([]);
}

export const test = base.extend<{ watched: Watched }>({
  watched: async ({ page }, use) => {
    const watched = await watch(page);
    await use(watched);
    await expectClean(watched);
  },
});
