// A person at the console, in a real browser: `node console_browser.mjs LOGIN_URL`.
//
// Says what it has done, a line of JSON each; the test makes the calls meanwhile. The last line has what
// the accessibility checks found, and what the browser complained of.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [login] = process.argv.slice(2);
const base = new URL(login).origin;
const say = (word, more = {}) => console.log(JSON.stringify({ word, ...more }));
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"];

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await (await browser.newContext()).newPage();
const complaints = [];
page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
page.on("pageerror", (error) => complaints.push(String(error)));
page.on("dialog", (dialog) => { complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });

await page.goto(login);
await page.waitForURL(`${base}/`);
say("logged in", { address: page.url() });

// A call appears by itself, and is granted with a click that cannot be an accident.
const waiting = page.locator("[aria-label='Calls that wait for an answer'] a", { hasText: "s drop" });
const link = waiting.first();
await link.waitFor({ timeout: 15000 });
say("seen");
await link.click();
const grant = page.locator("button.grant");
await page.waitForURL(`${base}/a/*`, { waitUntil: "domcontentloaded" });
const atOnce = await grant.isDisabled();
const text = await page.locator(".arguments").innerText();
await page.waitForFunction(() => !document.querySelector("button.grant").disabled);
const focused = await page.evaluate(() => document.activeElement.tagName);
await grant.click();
await page.locator(".state-granted, .state-used").first().waitFor();
say("granted", { atOnce, focused, text });

// A second one is refused with the keyboard alone, with a note that a change elsewhere does not lose.
await page.goto(`${base}/`);
await waiting.first().waitFor({ timeout: 15000 });
await waiting.first().focus();
await page.keyboard.press("Enter");
const note = page.locator("form[action$='/refuse'] textarea");
await note.waitFor();
await note.focus();
await page.keyboard.type("Not today.");
say("writing");
await page.waitForTimeout(1500);
const kept = await note.inputValue();
await page.keyboard.press("Tab");
await page.keyboard.press("Enter");
await page.locator(".state-refused").first().waitFor();
say("refused", { kept });

const findings = [];
await page.waitForTimeout(200);
for (const colorScheme of ["light", "dark"]) {
  await page.emulateMedia({ colorScheme });
  for (const width of [1280, 320]) {
    await page.setViewportSize({ width, height: 800 });
    for (const path of ["/", await pendingPath(), "/a/a-0123456789", "/login"]) {
      await page.goto(base + path);
      await page.waitForTimeout(600);
      await page.evaluate(axe);
      const result = await page.evaluate((tags) => window.axe.run({ runOnly: tags }), TAGS);
      for (const violation of result.violations) {
        findings.push(`${colorScheme} ${width} ${path.slice(0, 4)} ${violation.id}: ${violation.nodes[0].html}`);
      }
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      if (overflow) findings.push(`${colorScheme} ${width} ${path.slice(0, 4)} scrolls sideways`);
    }
  }
}
say("done", { findings, complaints: complaints.filter((each) => !each.includes("404")) });
await browser.close();

async function pendingPath() {
  await page.goto(`${base}/`);
  return await page.locator("table a").first().getAttribute("href");
}
