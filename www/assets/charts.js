// Errors and latency over time, as edges have counted them. A gap stays a gap.

import { useEffect, useRef } from "/vendor/hooks.mjs";
import { computed, signal } from "/vendor/signals.mjs";
import { get } from "/api.js";
import { html } from "/html.js";
import { happened, now } from "/live.js";
import { dark, inUtc, theme } from "/header.js";
import { latency, moment } from "/words.js";

const RANGES = [
  [300, "5 min"],
  [900, "15 min"],
  [3_600, "1 h"],
  [21_600, "6 h"],
  [86_400, "24 h"],
];
const BYS = [
  ["region", "By region"],
  ["slot", "By colour"],
];
const range = signal(900);
const by = signal("region");
const tabular = signal(false);
const series = signal(null);
const failed = signal(null);

const name = ({ region, slot }) => [region, slot].filter((part) => part !== null).join(" ");

const CHARTS = [
  {
    id: "errors",
    title: "Error rate",
    of: (line, place) =>
      line.requests[place] ? (100 * line.errors[place]) / line.requests[place] : null,
    shown: (value) => `${value.toFixed(value >= 1 || value === 0 ? 1 : 2)} %`,
  },
  {
    id: "p95",
    title: "P95 latency",
    of: (line, place) => line.p95_us[place],
    shown: (value) => latency(value),
  },
];

/** Only the newest question counts. */
let asked = 0;

async function load() {
  if (document.hidden) return;
  asked += 1;
  const mine = asked;
  try {
    const found = await get(`/api/v1/series?last_s=${range.value}&by=${by.value}`);
    if (mine !== asked) return;
    series.value = found;
    failed.value = null;
  } catch (why) {
    if (mine === asked) failed.value = why.message;
  }
}

/** Failovers and releases, as marks on the time axis. */
const marks = computed(() =>
  happened.value
    .filter(({ kind, record }) =>
      kind === "region" || ["start_canary", "promote_green", "rollback_to_blue"].includes(record.action),
    )
    .map(({ kind, record }) => ({ at: Date.parse(record.timestamp) / 1000, kind })),
);

const probe = document.createElement("i");

/** A colour of the page as it is now: what the theme makes of it, a canvas does not know. */
function style(property) {
  probe.hidden = true;
  probe.style.color = `var(${property})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function drawMarks(plot) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  const colours = { region: style("--warn"), release: style("--accent") };
  for (const { at, kind } of marks.value) {
    const x = plot.valToPos(at, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = colours[kind];
    ctx.setLineDash(kind === "region" ? [4, 4] : [1, 3]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/** Colours of lines; each has a dash of its own too. */
const COLOURS = ["--line-1", "--line-2", "--line-3", "--line-4", "--line-5", "--line-6"];
/** Of a line: blue and green have theirs, as everywhere on the page. */
const colour = ({ region, slot }, place) =>
  region === null && slot !== null ? `--${slot}` : COLOURS[place % COLOURS.length];
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 5], [1, 4]];

/** Hours and minutes; the day too where one may ask which, and seconds where a minute stands twice. */
function clock(at, { min, max }) {
  const [day, time] = moment(at * 1_000, inUtc.value).split(" ");
  if (max - min < 600) return time;
  const minutes = time.slice(0, 5);
  return max - min > 43_200 ? `${day.slice(5)} ${minutes}` : minutes;
}

function options(UPlot, chart, lines, width) {
  const axis = { stroke: style("--quiet"), grid: { stroke: style("--line"), width: 1 }, ticks: { show: false } };
  return {
    width,
    height: 200,
    cursor: { sync: { key: "halcyon" } },
    legend: { live: true },
    tzDate: (at) => (inUtc.value ? UPlot.tzDate(new Date(at * 1000), "Etc/UTC") : new Date(at * 1000)),
    scales: { y: { range: (_, least, most) => [0, most > 0 ? most * 1.1 : 1] } },
    axes: [
      { ...axis, space: 70, values: (plot, at) => at.map((one) => clock(one, plot.scales.x)) },
      { ...axis, size: 64, values: (_, values) => values.map(chart.shown) },
    ],
    series: [
      { label: "Time", value: (_, at) => (at === null ? "–" : moment(at * 1_000, inUtc.value)) },
      ...lines.map((line, place) => ({
        label: name(line),
        stroke: style(colour(line, place)),
        dash: DASHES[place % DASHES.length],
        width: 2,
        spanGaps: false,
        value: (_, value) => (value === null || value === undefined ? "–" : chart.shown(value)),
      })),
    ],
    hooks: { draw: [drawMarks] },
  };
}

function data(chart, found) {
  const at = found.at.map((text) => Date.parse(text) / 1000);
  return [at, ...found.series.map((line) => at.map((_, place) => chart.of(line, place)))];
}

function Plot({ chart }) {
  const box = useRef(null);
  const held = useRef({});
  const found = series.value;
  const key = [by.value, inUtc.value, theme.value, dark.value, found.series.map(name)].join();
  useEffect(() => {
    let over = false;
    import("/vendor/uplot.mjs").then(({ default: UPlot }) => {
      if (over || box.current === null) return;
      if (held.current.key !== key) {
        held.current.plot?.destroy();
        const width = box.current.clientWidth;
        held.current = {
          key,
          plot: new UPlot(options(UPlot, chart, found.series, width), data(chart, found), box.current),
        };
      } else {
        held.current.plot.setData(data(chart, found));
      }
    });
    return () => {
      over = true;
    };
  }, [found, key]);
  useEffect(() => {
    const sized = new ResizeObserver(([{ contentRect }]) => {
      held.current.plot?.setSize({ width: contentRect.width, height: 200 });
    });
    sized.observe(box.current);
    return () => {
      sized.disconnect();
      held.current.plot?.destroy();
    };
  }, []);
  return html`<div class="plot" ref=${box} aria-hidden="true"></div>`;
}

/** The same as a table: for whoever does not see charts, and whoever wants the numbers. */
function Table({ chart }) {
  const { at, series: lines } = series.value;
  const rows = at.map((text, place) => [text, lines.map((line) => chart.of(line, place))]);
  const filled = rows.filter(([, values]) => values.some((value) => value !== null)).reverse();
  return html`<div class="scroll tall" tabindex="0" role="region" aria-label="${chart.title} as a table">
    <table>
      <thead><tr><th scope="col">From</th>${lines.map((line) => html`<th scope="col" class="number">${name(line)}</th>`)}</tr></thead>
      <tbody>
        ${filled.map(
          ([text, values]) => html`<tr key=${text}>
            <th scope="row">${moment(text, inUtc.value)}</th>
            ${values.map((value) => html`<td class="number">${value === null ? "–" : chart.shown(value)}</td>`)}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

const choice = (label, all, chosen) => html`<div class="choice" role="group" aria-label=${label}>
  ${all.map(
    ([value, text]) => html`<button type="button" class="quiet" aria-pressed=${chosen.value === value} onClick=${() => {
      chosen.value = value;
    }}>${text}</button>`,
  )}
</div>`;

function Body() {
  if (failed.value !== null) return html`<p class="problem">${failed.value}</p>`;
  if (series.value === null) return html`<p class="none">Loading</p>`;
  const empty = series.value.series.every(({ requests }) => requests.every((one) => one === null));
  if (empty) return html`<p class="none">No edge has reported any traffic in this time.</p>`;
  return html`<div class="charts">
    ${CHARTS.map(
      (chart) => html`<figure key=${chart.id} aria-labelledby=${`chart-${chart.id}`}>
        <figcaption id=${`chart-${chart.id}`}>${chart.title}</figcaption>
        ${tabular.value ? html`<${Table} chart=${chart} />` : html`<${Plot} chart=${chart} />`}
      </figure>`,
    )}
  </div>`;
}

export function Charts() {
  const chosen = `${range.value} ${by.value}`;
  // Anew when somebody asks for other ones, and every ten seconds: edges tell no sooner.
  const turn = Math.floor(now.value / 10_000);
  useEffect(() => {
    load();
  }, [chosen, turn]);
  return html`<section aria-labelledby="charts-title">
    <h2 id="charts-title">Traffic</h2>
    <div class="choices">
      ${choice("Range", RANGES, range)} ${choice("Lines", BYS, by)}
      <button type="button" class="quiet" aria-pressed=${tabular.value} onClick=${() => {
        tabular.value = !tabular.value;
      }}>As a table</button>
    </div>
    <${Body} />
  </section>`;
}
