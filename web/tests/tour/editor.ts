/** The editor of definitions, as its user handles it. */
import type { Locator, Page } from '@playwright/test';

export async function write(page: Page, text: string): Promise<void> {
  await page.getByLabel('Definition, as JSON').fill(text);
}

/** What the server said would follow. */
export function follows(page: Page): Locator {
  return page.getByRole('region', { name: 'What follows' });
}
