// Pictures of the console: `node screenshots.mjs CHROMIUM LOGIN_URL FOLDER [NAME…]`.
import { chromium } from "playwright-core";

const [executablePath, login, folder, ...names] = process.argv.slice(2);
const base = new URL(login).origin;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const page = await (await browser.newContext({ deviceScaleFactor: 1 })).newPage();
await page.setViewportSize({ width: 1100, height: 700 });
await page.goto(login);
await page.waitForURL(`${base}/`);

async function picture(name, path) {
  if (path) await page.goto(base + path);
  if (names.length && !names.includes(name)) return;
  await page.waitForTimeout(800);
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: name !== "decisions" });
}

await picture("inbox", "/");
await page.locator("table a", { hasText: "refund" }).first().click();
await page.waitForURL(`${base}/a/*`);
await picture("approval");
await picture("decisions", "/decisions");
await page.locator("table a", { hasText: "list_brokers" }).first().click();
await page.waitForURL(`${base}/d/*`);
await picture("decision");
for (const name of ["servers", "limits", "policy", "audit"]) await picture(name, `/${name}`);
await browser.close();
