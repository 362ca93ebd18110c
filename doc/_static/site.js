// What pages gain with a script; without it they can be read all the same.
"use strict";

// Tables of results are sorted by a click on a heading, or with the keyboard; else they stand in
// the order of the example. Pattern: W3C, ARIA Authoring Practices, sortable table.
(() => {
  // A word stands where there is no figure, and comes last. A method goes by its name alone.
  function key(row, column) {
    const cell = row.cells[column];
    if ("value" in cell.dataset) return Number(cell.dataset.value);
    return (cell.querySelector("code") ?? cell).textContent.trim();
  }

  function compare(one, other, sign) {
    if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
    return sign * (typeof one === "number" ? one - other : one.localeCompare(other));
  }

  function sort(table, column) {
    const headings = [...table.tHead.rows[0].cells];
    const isAscending = headings[column].ariaSort !== "ascending";
    for (const heading of headings) heading.removeAttribute("aria-sort");
    headings[column].setAttribute("aria-sort", isAscending ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => compare(key(a, column), key(b, column), isAscending ? 1 : -1));
    table.tBodies[0].append(...rows);
  }

  for (const table of document.querySelectorAll("table.measurements:not(.calculated)")) {
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      // Figures with different units cannot be compared as words.
      const hasFigures = [...table.tBodies[0].rows].some((row) => "value" in row.cells[column].dataset);
      if (column && !hasFigures) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(table, column));
      heading.append(button);
    });
  }
})();

// Code that is wider than the page, or longer than its frame, scrolls; with the keyboard too.
(() => {
  const blocks = document.querySelectorAll(".highlight pre");
  const scrolled = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const hides =
        target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight;
      if (hides) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const block of blocks) scrolled.observe(block);
})();
