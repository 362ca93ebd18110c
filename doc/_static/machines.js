// Methods against machines, one quantity at a time; what is chosen stands behind the address.
// What writes amounts is in units.js.
"use strict";

const WRITE = { time: seconds, whole: bytes, peak: bytes, times_least: (value) => significant(value, 2) };
const CHOICES = ["task", "quantity", "as", "file", "release"];
const SVG = "http://www.w3.org/2000/svg";
// As benchmarks/report/table.py draws: from zero on, or by logarithms if values lie far apart.
const [WIDTH, HEIGHT, EDGE, LOG_FROM] = [96, 12, 5, 30];

// Make an element; text is never taken as HTML.
function element(name, { text, ...attributes } = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

function scaleOf(values) {
  const positive = values.filter((value) => value > 0);
  const [low, high] = [Math.min(...positive), Math.max(...positive)];
  const wide = high > LOG_FROM * low;
  return (value) => {
    const share = wide
      ? Math.log(Math.max(value, low) / low) / Math.log(high / low)
      : Math.max(0, value) / high;
    return (EDGE + share * (WIDTH - 2 * EDGE)).toFixed(1);
  };
}

// All runs as a bar, their median as a dot.
function drawing([median, low, high], at) {
  const part = (name, attributes) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const svg = part("svg", { class: "spread", width: WIDTH, height: HEIGHT, "aria-hidden": "true" });
  svg.append(
    part("path", { d: `M${EDGE} ${HEIGHT / 2}H${WIDTH - EDGE}`, "stroke-opacity": 0.3 }),
    part("path", { class: "range", d: `M${at(low)} ${HEIGHT / 2}H${at(high)}` }),
    part("circle", { cx: at(median), cy: HEIGHT / 2, r: 3 }),
  );
  return svg;
}

function chosen(form) {
  const state = Object.fromEntries(CHOICES.map((name) => [name, form.elements[name].value]));
  const boxes = [...form.querySelectorAll("[name=machine]")];
  state.machines = boxes.filter((box) => box.checked).map((box) => box.value);
  return { ...state, all: state.machines.length === boxes.length, ...form.order };
}

// The least median of each group of methods on each machine, and up to where the runs reach that it
// cannot be told from.
function bests(rows, columns, quantity) {
  const found = new Map();
  for (const row of rows) {
    for (const { index } of columns) {
      const figure = row.cells[index]?.[quantity];
      const key = `${row.group} ${index}`;
      if (figure && !(found.get(key)?.figure[0] <= figure[0])) {
        found.set(key, { figure, count: found.get(key)?.count ?? 0 });
      }
      if (figure) found.get(key).count += 1;
    }
  }
  return found;
}

// What one cell shows: a figure with its spread, a word, or nothing.
function shownIn(row, index, state, best) {
  const cell = row.cells[index];
  const figure = cell?.[state.quantity];
  if (!figure) return { text: typeof cell === "string" ? cell : "–" };
  const { figure: least, count } = best.get(`${row.group} ${index}`);
  const relative = state.as === "relative";
  const values = relative ? figure.map((value) => value / least[0]) : figure;
  const write = relative ? (value) => significant(value, 2) : WRITE[state.quantity];
  const noisy = state.quantity === "time" && cell.noisy;
  return { values, text: write(values[0]), noisy, least: count > 1 && figure[1] <= least[2] };
}

function view(data, state) {
  const columns = data.entries
    .map((entry, index) => ({ ...entry, index }))
    .filter((entry) => state.machines.includes(entry.machineId))
    .filter((entry) => !state.file || entry.file === state.file)
    .filter((entry) => !state.release || entry.release === state.release);
  const kept = data.rows
    .filter((row) => !state.task || row.task === state.task)
    .filter((row) => columns.some(({ index }) => row.cells[index] !== null));
  const best = bests(kept, columns, state.quantity);
  const rows = kept.map((row) => ({
    name: row.name,
    cells: columns.map(({ index }) => shownIn(row, index, state, best)),
  }));
  sort(rows, columns.findIndex((column) => column.id === state.sort), state);
  return { columns, rows };
}

function sort(rows, column, state) {
  const sign = state.order === "descending" ? -1 : 1;
  if (state.sort === "method") rows.sort((a, b) => (a.name < b.name ? -sign : sign));
  if (column < 0) return;
  const value = (row) => row.cells[column].values?.[0];
  rows.sort((a, b) => {
    const [one, two] = [value(a), value(b)];
    // What has no figure comes last, whichever way.
    if (one === undefined || two === undefined) return (one === undefined) - (two === undefined);
    return sign * (one - two);
  });
}

function heading(form, id, title, remarks, state) {
  const button = element("button", { type: "button", text: title });
  const cell = element("th", { scope: "col", "data-sort": id }, button);
  for (const text of remarks) cell.append(element("span", { class: "remark", text }));
  if (state.sort === id) cell.setAttribute("aria-sort", state.order);
  button.addEventListener("click", () => {
    const again = state.sort === id && state.order === "ascending";
    form.order = { sort: id, order: again ? "descending" : "ascending" };
    form.update();
    form.querySelector(`th[data-sort="${id}"] button`).focus();
  });
  return cell;
}

function figureCell({ values, text, noisy, least }, at) {
  const cell = element("td");
  cell.append(least ? element("strong", { text: (noisy ? "~" : "") + text }) : (noisy ? "~" : "") + text);
  if (least) cell.append(element("span", { "aria-hidden": "true", text: "◂" }));
  const said = [least && "least", noisy && "noisy"].filter(Boolean).join(", ");
  if (said) cell.append(element("span", { class: "said", text: ` (${said})` }));
  if (values) {
    cell.dataset.value = values[0];
    cell.append(drawing(values, at));
  }
  return cell;
}

function summary({ columns, rows }, state, form) {
  if (!columns.length || !rows.length) return "Nothing was measured of what is chosen here.";
  const machines = new Set(columns.map((column) => column.machineId)).size;
  const name = form.elements.quantity.selectedOptions[0].text;
  const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
  const noisy = rows.flatMap((row) => row.cells).filter((cell) => cell.noisy).length;
  const remark = noisy ? ` ${count(noisy, "time")} with a tilde: noisy.` : "";
  return `${count(rows.length, "method")} on ${count(machines, "machine")}: ${name}.${remark}`;
}

function show(form, data) {
  const state = chosen(form);
  const found = view(data, state);
  const table = form.querySelector("table");
  const values = found.rows.flatMap((row) => row.cells.flatMap((cell) => cell.values ?? []));
  const at = scaleOf(values);
  const isMemory = ["whole", "peak"].includes(state.quantity);
  table.hidden = !found.columns.length || !found.rows.length;
  form.querySelector("[role=status]").textContent = summary(found, state, form);
  table.caption.textContent =
    "◂ marks the least of methods that return the same, and figures so close to it that the repeats " +
    "cannot tell them apart. " +
    "The bars span all repeats, the dots are medians.";
  table.tHead.rows[0].replaceChildren(
    heading(form, "method", "method", [], state),
    ...found.columns.map((column) => {
      const remarks = [column.release, column.file, ...(isMemory ? [column.gauge] : [])];
      return heading(form, column.id, column.machine, remarks, state);
    }),
  );
  table.tBodies[0].replaceChildren(
    ...found.rows.map((row) =>
      element(
        "tr",
        {},
        element("th", { scope: "row", text: row.name.replaceAll("_", "_\u200b") }),
        ...row.cells.map((cell) => figureCell(cell, at)),
      ),
    ),
  );
  return state;
}

// What is chosen, behind the address: machines.html#task=load&quantity=peak&sort=method
function fill(form, data) {
  const given = new URLSearchParams(location.hash.slice(1));
  const first = { task: data.shown, quantity: "time", as: "absolute", file: data.file, release: "" };
  for (const name of CHOICES) {
    give(form.elements[name], first[name]);
    if (given.has(name)) give(form.elements[name], given.get(name));
  }
  const boxes = [...form.querySelectorAll("[name=machine]")];
  const machines = given.getAll("machine").filter((id) => boxes.some((box) => box.value === id));
  for (const box of boxes) {
    box.checked = !machines.length || machines.includes(box.value);
  }
  const order = given.get("order") === "descending" ? "descending" : "ascending";
  form.order = given.has("sort") ? { sort: given.get("sort"), order } : {};
}

function remember(state) {
  const words = new URLSearchParams(CHOICES.map((name) => [name, state[name]]));
  if (!state.all) for (const machine of state.machines) words.append("machine", machine);
  if (state.sort) {
    words.set("sort", state.sort);
    words.set("order", state.order);
  }
  history.replaceState(null, "", `#${words}`);
}

for (const form of document.querySelectorAll("form.machines")) {
  const data = JSON.parse(form.querySelector("script").textContent);
  form.update = () => remember(show(form, data));
  form.addEventListener("input", form.update);
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", () => {
    fill(form, data);
    show(form, data);
  });
  fill(form, data);
  show(form, data);
  form.hidden = false;
}
