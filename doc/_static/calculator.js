// What a reader's own file would need: the same sums, and the same words, as "fmri-bench predict".
// What writes amounts is in units.js.
"use strict";

// Fixed part, voxels of a volume, voxels of the run; if each volume is read from the start of
// the file, the n-th costs as much as n volumes.
function amount([fixed, perVolumeVoxel, perVoxel, again], voxels, volumes) {
  const read = again ? (volumes * (volumes + 1)) / 2 : volumes;
  return fixed + perVolumeVoxel * voxels + perVoxel * voxels * read;
}

function verdict(asked, free, data) {
  const [fits, tight, not] = data.words;
  if (asked > data.usable * free) return not;
  return asked > data.tight * free ? tight : fits;
}

// What so many files at a time have to request: n x (interpreter + share + what each worker needs
// besides), what hands out the work, and a margin.
function request(line, jobs, data) {
  const needs = jobs === 1 ? line.whole : jobs * each(line, data) + once(line, data);
  return line.margin * needs;
}

function each(line, data) {
  return line.whole + data.handing_out.each;
}

// One interpreter more, which hands out the work, and what joblib starts besides.
function once(line, data) {
  const processes = line.workers === 1 ? 1 : line.workers + 1;
  return Math.max(0, line.whole - line.bytes) / processes + data.handing_out.once;
}

function atOnce(line, free, processors, data) {
  const usable = data.usable * free;
  if (request(line, 1, data) > usable) return 0;
  const byMemory = Math.floor((usable / line.margin - once(line, data)) / each(line, data));
  return Math.min(Math.max(1, byMemory), Math.max(1, Math.floor(processors / line.workers)));
}

// The fastest way that fits, does the work, and returns the same.
function instead(line, rows, data) {
  return rows
    .filter((other) => other.task === line.task && line.same.includes(other.method))
    .filter((other) => other.known && other.replaces && other.verdict !== data.words[2])
    .sort((a, b) => a.seconds - b.seconds)[0];
}

function advice(rows, data) {
  const lines = new Map();
  for (const line of rows.filter((each) => each.verdict === data.words[2])) {
    const other = instead(line, rows, data);
    const key = `${line.task} ${other ? other.method : ""}`;
    if (!lines.has(key)) lines.set(key, { task: line.task, other, names: [] });
    lines.get(key).names.push(line.method);
  }
  return [...lines.values()].map(({ task, other, names }) => {
    const place = `in the place of ${names.join(", ")}`;
    return other
      ? `${task}: ${other.method} fits ${place}, with ${bytes(other.request)}, in ${seconds(other.seconds)}.`
      : `${task}: no method that does the same fits ${place}.`;
  });
}

// The same lines as "fmri-bench predict --slurm".
function slurm(line, jobs) {
  return [
    `#SBATCH --cpus-per-task=${jobs * line.workers}`,
    `#SBATCH --mem=${Math.ceil(line.request / MIB)}M`,
    "export OMP_NUM_THREADS=1",
  ].join("\n");
}

function row(cells) {
  const line = document.createElement("tr");
  cells.forEach((text, index) => {
    const cell = document.createElement(index ? "td" : "th");
    if (!index) cell.scope = "row";
    cell.textContent = text; // never as HTML
    line.append(cell);
  });
  return line;
}

function predict(form, data) {
  const value = (name) => form.elements[name].value;
  const [x, y, z, volumes] = [0, 1, 2, 3].map((index) => Number(value(`n${index}`)));
  const voxels = x * y * z;
  const kind = data.kinds[[value("dtype"), value("scaling"), value("ending")].join("|")];
  const free = Number(value("free")) * GIB;
  const [jobs, processors] = ["jobs", "processors"].map((name) => Number(value(name)));
  const task = value("task");
  const rows = data.methods[kind]
    .filter((method) => task === "every task" || method.task === task)
    .map((method) => {
      const line = {
        ...method,
        name: `${method.task}.${method.method}`,
        known: Boolean(method.peak && method.whole && method.time),
        bytes: method.peak ? amount(method.peak, voxels, volumes) : 0,
        whole: method.whole ? amount(method.whole, voxels, volumes) : 0,
        seconds: method.time ? amount(method.time, voxels, volumes) : 0,
      };
      if (!line.known) return { ...line, verdict: line.message };
      line.request = request(line, jobs, data);
      line.atOnce = atOnce(line, free, processors, data);
      line.verdict = verdict(line.request, free, data);
      return line;
    });
  const order = (a, b) => (a.task < b.task ? -1 : a.task > b.task ? 1 : a.bytes - b.bytes);
  rows.sort(order);
  return { rows, raw: voxels * volumes * data.bytes[value("dtype")], kind, jobs };
}

function show(form, data) {
  const table = form.querySelector("table");
  const summary = form.querySelector(".calculator-summary");
  const wrong = [...form.elements].find((field) => field.willValidate && !field.checkValidity());
  table.hidden = Boolean(wrong);
  if (wrong) {
    const name = wrong.closest("label").firstChild.textContent;
    summary.textContent = `Please mend the field "${name}": ${wrong.validationMessage}`;
    return;
  }
  const { rows, raw, kind, jobs } = predict(form, data);
  const fitting = rows.filter((line) => line.known && line.verdict !== data.words[2]);
  summary.textContent =
    `Raw size ${bytes(raw)}. ${fitting.length} of ${rows.length} methods fit. ` +
    `Measured on small files of the kind ${kind.replaceAll("_", " ")}.`;
  table.caption.textContent = "The leanest method of each task comes first.";
  table.tBodies[0].replaceChildren(
    ...rows.map((line) =>
      row(
        line.known
          ? [line.name, seconds(line.seconds), bytes(line.bytes), bytes(line.whole),
             bytes(line.request), line.atOnce || "–", line.verdict]
          : [line.name, "–", "–", "–", "–", "–", line.verdict],
      ),
    ),
  );
  list(form.querySelector(".calculator-advice"), advice(rows, data));
  showSlurm(form, rows.filter((line) => line.known), jobs);
}

function list(element, texts) {
  element.replaceChildren(
    ...texts.map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }),
  );
}

// For the way that is chosen, or the leanest while that is not among those shown.
function showSlurm(form, rows, jobs) {
  const select = form.elements.slurm;
  const chosen = rows.find((line) => line.name === select.value) ?? rows[0];
  select.replaceChildren(
    ...rows.map((line) => new Option(line.name, line.name, false, line === chosen)),
  );
  form.querySelector(".calculator-slurm").textContent = chosen ? slurm(chosen, jobs) : "";
}

// The fields can be given behind the address: will_it_fit.html#n0=64&n1=64&dtype=float32
function fill(form) {
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    give(form.elements[name], value);
  }
}

for (const form of document.querySelectorAll("form.calculator")) {
  const data = JSON.parse(form.querySelector("script").textContent);
  const update = () => show(form, data);
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", () => {
    fill(form);
    update();
  });
  fill(form);
  update();
}
