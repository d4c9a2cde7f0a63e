import { existsSync } from 'node:fs';
import AxeBuilder from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';

const PATH = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** No network but the test's own. */
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Whether there is a browser. In CI its absence fails. */
export function hasChromium(): boolean {
  if (existsSync(PATH)) return true;
  const missing = `No Chromium at ${PATH}: the page of the board is NOT tested. Install it, or set CHROMIUM`;
  if (process.env.CI === 'true') throw new Error(missing);
  console.warn(`\n${missing}\n`);
  return false;
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: PATH, args: ARGS });
}

/** What axe-core finds to be serious or critical, as `rule: element`. */
export async function seriousFindings(page: Page): Promise<readonly string[]> {
  // Evaluated as the browser's own tools are: the page's policy does not hold for it.
  if (!(await page.evaluate('"axe" in window'))) await page.evaluate(AxeBuilder.source);
  const { violations } = (await page.evaluate('axe.run()')) as AxeBuilder.AxeResults;
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
}
