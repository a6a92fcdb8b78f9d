// A real browser that does what it is told: `node browser.mjs CHROMIUM`; a line of JSON in is one step, a line out its result.
//
// Each tab has a name and belongs to a person, who has cookies of their own.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

// A page that loads itself anew at this moment interrupts the visit, which is then made again.
async function go(page, { url }, again = 3) {
  try {
    const answer = await page.goto(url, { waitUntil: "domcontentloaded" });
    return answer && answer.status();
  } catch (error) {
    if (!again || !String(error).includes("interrupted by another navigation")) throw error;
    await page.waitForLoadState("domcontentloaded");
    return go(page, { url }, again - 1);
  }
}

const TAGS = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"];
const TIMEOUT = 15000;
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({ executablePath: process.argv[2], args: ["--no-sandbox"] });
const people = new Map();
const tabs = new Map();
const complaints = [];

async function open({ tab, person }) {
  if (!people.has(person)) people.set(person, await browser.newContext());
  const page = await people.get(person).newPage();
  page.setDefaultTimeout(TIMEOUT);
  page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => { complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  tabs.set(tab, page);
}

// What the page asks for by script comes as it was when it was asked for, and so much later.
const delay = (page, { at, milliseconds }) => page.route(at, async (route) => {
  if (!["xhr", "fetch"].includes(route.request().resourceType())) return route.continue();
  const response = await route.fetch();
  await new Promise((done) => setTimeout(done, milliseconds));
  return route.fulfill({ response }).catch(() => null); // the page may have gone meanwhile
});

const steps = {
  go,
  delay,
  arrive: (page, { url }) => page.waitForURL(url, { waitUntil: "domcontentloaded" }).then(() => page.url()),
  click: (page, { at }) => page.locator(at).first().click(),
  hover: (page, { at }) => page.locator(at).first().hover(),
  focus: (page, { at }) => page.locator(at).first().focus(),
  fill: (page, { at, text }) => page.locator(at).first().fill(text),
  type: (page, { text }) => page.keyboard.type(text),
  press: (page, { key }) => page.keyboard.press(key),
  wait: (page, { at }) => page.locator(at).first().waitFor(),
  text: (page, { at }) => page.locator(at).first().innerText(),
  value: (page, { at }) => page.locator(at).first().inputValue(),
  count: (page, { at }) => page.locator(at).count(),
  disabled: (page, { at }) => page.locator(at).first().isDisabled(),
  enabled: (page, { at }) => page.waitForFunction((each) => !document.querySelector(each).disabled, at, { polling: 50 }).then(() => true),
  attribute: (page, { at, name }) => page.locator(at).first().getAttribute(name),
  focused: (page) => page.evaluate(() => `${document.activeElement.tagName}#${document.activeElement.id}`),
  look: (page, { scheme, width }) => page.emulateMedia({ colorScheme: scheme })
    .then(() => page.setViewportSize({ width, height: 800 })),
  // Milliseconds until the browser has painted something of the page.
  painted: (page) => page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime),
  away: (page) => page.mouse.move(0, 0),
  post: (page, { url, body }) => page.evaluate(([where, what]) => fetch(where, {
    method: "POST", body: what, headers: { "Content-Type": "application/x-www-form-urlencoded" }, redirect: "manual",
  }).then((answer) => answer.status), [url, body]),
  // A page that does not close in time keeps nobody waiting, nor does the timer once everything else is done.
  close: (page) => Promise.race([page.close(), new Promise((done) => setTimeout(done, 5000).unref())]),
  check,
  complaints: () => complaints.splice(0).filter((each) => !/40[0-9]|503|net::ERR_/.test(each)),
};

// What axe finds on the page, and whether it scrolls sideways.
async function check(page) {
  await page.evaluate(axe);
  const result = await page.evaluate((tags) => window.axe.run({ runOnly: tags }), TAGS);
  const findings = result.violations.map((each) => `${each.id}: ${each.nodes[0].html}`);
  if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) findings.push("scrolls sideways");
  return findings;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { number, tab, step, ...more } = JSON.parse(line);
  const work = step === "open" ? open({ tab, ...more }) : steps[step](tabs.get(tab), more);
  // Steps of several tabs go on side by side.
  Promise.resolve(work).then(
    (value) => console.log(JSON.stringify({ number, value: value ?? null })),
    (error) => console.log(JSON.stringify({ number, error: String(error).slice(0, 1500) })),
  );
}
await browser.close();
