// The page: the table in force, and one tenant decided here and by the server.

import init, { explain, Router, simulate } from "/page/browser.js";

const at = (id) => document.getElementById(id);

/** An element with text, never markup: what comes from outside is data. */
function element(name, { text, ...attributes } = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

async function get(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" } });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail ?? `${path}: HTTP ${answer.status}`);
  return body;
}

const MEMBERS = [
  ["region", "Region"],
  ["preferred", "First choice"],
  ["slot", "Slot"],
  ["reason", "Reason"],
  ["error", "Error"],
];

const shown = (value) => value ?? "none";

function compared(here, there) {
  const rows = MEMBERS.filter(([name]) => name !== "error" || here.error || there.error);
  const cells = rows.map(([name, label]) => {
    const differs = (here[name] ?? null) !== (there[name] ?? null);
    const cell = (answer) =>
      element("td", { text: shown(answer[name]), class: differs ? "value differs" : "value" });
    return element("tr", {}, element("th", { text: label, scope: "row" }), cell(here), cell(there));
  });
  const head = ["", "This browser", "Server"].map((text) => element("th", { text, scope: "col" }));
  return element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...cells),
  );
}

/** A tenant, decided here by the table in force and there by the server. */
async function lookUp(tenant) {
  const answer = at("answer");
  try {
    const path = `/api/v1/route?explain=true&tenant=${encodeURIComponent(tenant)}`;
    const [there, table] = await Promise.all([get(path), get("/api/v1/table")]);
    show(table);
    const here = explain(new Router(table), tenant);
    const agrees = JSON.stringify(here) === JSON.stringify(there);
    const verdict = agrees
      ? "The server agrees"
      : "The server disagrees: it and this browser decide differently";
    const steps = (here.steps ?? []).map((text) => element("li", { text }));
    answer.replaceChildren(
      element("p", { class: "verdict", "data-agrees": agrees ? "yes" : "no", text: verdict }),
      element("div", { class: "scroll" }, compared(here, there)),
      element("ol", { class: "steps", "aria-label": "How it was decided" }, ...steps),
    );
  } catch (why) {
    answer.replaceChildren(element("p", { class: "verdict", "data-agrees": "no", text: why.message }));
  }
}

const percent = (count, of) =>
  (count / of).toLocaleString("en", { style: "percent", maximumFractionDigits: 2 });

function show(table) {
  at("problem").hidden = true;
  // Nobody moves from a table to itself, so what each region has is what it has now.
  const moves = simulate(table, table);
  const has = new Map(moves.regions.map(({ region, after }) => [region, after]));
  const rows = table.regions.map(({ name, status, weight }) =>
    element(
      "tr",
      {},
      element("th", { text: name, scope: "row" }),
      element("td", { text: status, class: "status", "data-status": status }),
      element("td", { text: String(weight), class: "number" }),
      element("td", { text: percent(has.get(name) ?? 0, moves.of), class: "number" }),
    ),
  );
  at("regions").replaceChildren(...rows);
  const release = table.release;
  const facts = [
    ["Placed by", table.sticky],
    ["On failure", table.failover],
    ["Primary", table.primary ?? "none"],
    ["Release", release ? release.state : "none"],
    ["Green's share", percent(moves.green[0], 10_000)],
    ["Table", String(table.epoch)],
  ];
  at("facts").replaceChildren(
    ...facts.map(([name, value]) =>
      element("div", {}, element("dt", { text: name }), element("dd", { text: value })),
    ),
  );
  const count = table.regions.length;
  const regions = count === 1 ? "1 region" : `${count} regions`;
  at("summary").textContent = `${table.deployment}: ${regions}, table of ${table.issued_at}`;
}

function refuse(why) {
  at("summary").textContent = "No routing table";
  at("problem").textContent = why.message;
  at("problem").hidden = false;
}

const asked = () => new URLSearchParams(location.search).get("tenant");

at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const tenant = at("tenant").value;
  const address = new URL(location.href);
  address.searchParams.set("tenant", tenant);
  history.replaceState(null, "", address); // a look-up can be handed on as a link
  lookUp(tenant);
});

await init();
try {
  show(await get("/api/v1/table"));
  if (asked() !== null) {
    at("tenant").value = asked();
    await lookUp(asked());
  }
} catch (why) {
  refuse(why);
}
