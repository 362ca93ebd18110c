// What a reader's own file would need: the same sums, and the same words, as "fmri-bench predict".
// What writes amounts is in units.js.
"use strict";

// Fixed part, voxels of a volume, voxels of the run; if each volume is read from the start of
// the file, the n-th costs as much as n volumes.
function amount([fixed, perVolumeVoxel, perVoxel, again], voxels, volumes) {
  const read = again ? (volumes * (volumes + 1)) / 2 : volumes;
  return fixed + perVolumeVoxel * voxels + perVoxel * voxels * read;
}

function verdict(whole, free, data) {
  const [fits, tight, not] = data.words;
  if (whole > data.usable * free) return not;
  return whole > data.tight * free ? tight : fits;
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
  const task = value("task");
  const rows = data.methods[kind]
    .filter((method) => task === "every task" || method.task === task)
    .map((method) => ({
      ...method,
      bytes: method.peak ? amount(method.peak, voxels, volumes) : 0,
      whole: method.whole ? amount(method.whole, voxels, volumes) : 0,
      seconds: method.time ? amount(method.time, voxels, volumes) : 0,
    }));
  const order = (a, b) => (a.task < b.task ? -1 : a.task > b.task ? 1 : a.bytes - b.bytes);
  rows.sort(order);
  return { rows, raw: voxels * volumes * data.bytes[value("dtype")], kind, free };
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
  const { rows, raw, kind, free } = predict(form, data);
  const fitting = rows.filter((line) => verdict(line.whole, free, data) !== data.words[2]);
  summary.textContent =
    `Raw size ${bytes(raw)}. ${fitting.length} of ${rows.length} ways fit. ` +
    `Measured on small files of the kind ${kind.replaceAll("_", " ")}.`;
  table.caption.textContent = "The leanest way of each task comes first.";
  table.tBodies[0].replaceChildren(
    ...rows.map((line) =>
      row(
        line.peak && line.time
          ? [`${line.task}.${line.method}`, seconds(line.seconds), bytes(line.bytes),
             bytes(line.whole), verdict(line.whole, free, data)]
          : [`${line.task}.${line.method}`, "–", "–", "–", line.message],
      ),
    ),
  );
}

// The fields can be given behind the address: your_own_data.html#n0=64&n1=64&dtype=float32
function fill(form) {
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    if (form.elements[name]) form.elements[name].value = value;
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
