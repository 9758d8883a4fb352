import { existsSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, expect } from 'vitest';
import { startNode, type TestNode } from '../../gateway/test/node.ts';

/** Screenshots of the last run, for people. */
const pictures = fileURLToPath(new URL('../../.cache/console', import.meta.url));

/** A real Chromium with the pages of a test; whatever a page complains of fails the test. */
export class TestBrowser {
  private readonly browser: Browser;
  private readonly complaints: string[] = [];

  private constructor(browser: Browser) {
    this.browser = browser;
  }

  /** Debian's Chromium, from `PATH`. */
  static async start(): Promise<TestBrowser> {
    mkdirSync(pictures, { recursive: true });
    return new TestBrowser(await chromium.launch({ executablePath: chromiumPath() }));
  }

  /** Opens the console of the node in a window of its own, with nothing kept from another. */
  async open(url: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.browser.newContext({
      viewport: { width: 1280, height: 860 },
      ...options,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('request', (request) => {
      if (new URL(request.url()).host !== new URL(url).host)
        this.complaints.push(`asks elsewhere: ${request.url()}`);
    });
    page.on('dialog', (dialog) => {
      this.complaints.push(`a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('console', (message) => {
      const text = message.text();
      // A connection that a test cuts, and a refusal that it provokes, are no mistakes of the page.
      if (message.type() === 'error' && !/Failed to load|WebSocket connection|net::ERR/.test(text))
        this.complaints.push(text);
    });
    await page.goto(`${url}/console`);
    return page;
  }

  /** Closes the pages. @throws AssertionError with what they complained of */
  async clear(): Promise<void> {
    for (const context of this.browser.contexts()) await context.close();
    expect(this.complaints.splice(0)).toEqual([]);
  }

  stop(): Promise<void> {
    return this.browser.close();
  }
}

/** A browser, whose pages end with each test, and a node; both end with the file that calls it. */
export async function startConsole(
  environment: Record<string, string>,
): Promise<{ browser: TestBrowser; node: TestNode }> {
  const [browser, node] = await Promise.all([TestBrowser.start(), startNode(environment)]);
  afterEach(() => browser.clear());
  afterAll(async () => {
    await browser.stop();
    await node.stop();
  });
  return { browser, node };
}

/** Connects as somebody, where the node makes tokens. */
export async function connectAs(page: Page, user: string, roles = ''): Promise<void> {
  await page.getByLabel('User', { exact: true }).fill(user);
  await page.getByLabel('Roles').fill(roles);
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await status(page, 'Connected');
}

/** Waits until the page says so of its connection. */
export function status(page: Page, text: string): Promise<void> {
  return page.locator('.status', { hasText: text }).waitFor();
}

/** One value of the line that tells of the connection. */
export async function fact(page: Page, name: string): Promise<string> {
  const row = page.locator('.facts > div').filter({ has: page.getByText(name, { exact: true }) });
  return (await row.locator('dd').textContent()) ?? '';
}

export async function join(page: Page, room: string): Promise<void> {
  await page.getByLabel('Room to join').fill(room);
  await page.getByRole('button', { name: 'Join', exact: true }).click();
  await page.locator('.list .name').getByText(room, { exact: true }).waitFor();
}

/** The lines of the log for events of a name that arrived, newest first. */
export function arrived(page: Page, event: string, text = '') {
  return page
    .locator('.entry.in')
    .filter({ has: page.getByText(event, { exact: true }), hasText: text });
}

/** Keeps a picture of the page. */
export async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `${pictures}/${name}.png`, animations: 'disabled' });
}

function chromiumPath(): string {
  const found = (process.env['PATH'] ?? '')
    .split(':')
    .map((folder) => `${folder}/chromium`)
    .find((path) => existsSync(path));
  if (!found) throw new Error('chromium is not on PATH');
  return found;
}
