"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // --- tables: sorted and filtered --------------------------------------------------------------
  const MISSING = new Set(["", "–"]);
  const valueOf = (element) => {
    const text = element.dataset.value ?? element.textContent.trim();
    return MISSING.has(text) ? null : text;
  };
  const collator = new Intl.Collator("en", { numeric: true });
  function compared(left, right) {
    const [a, b] = [Number(left), Number(right)];
    return Number.isNaN(a) || Number.isNaN(b) ? collator.compare(left, right) : a - b;
  }

  function makeTable(box) {
    const [body, rest] = all("tbody", box);
    const search = box.querySelector("input[type=search]");
    const output = box.querySelector("output");
    const more = box.querySelector("button.all");
    const most = rest ? body.rows.length : Infinity;
    let [rows, texts, limit, order] = [null, null, most, null];

    function load() { // the rows, once: in the order in which they came
      if (rows) return;
      if (rest) {
        body.append(...rest.rows);
        rest.remove();
      }
      rows = [...body.rows];
    }
    function show() {
      load();
      const query = (search ? search.value : "").trim().toLowerCase();
      if (query) texts ??= new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
      const found = new Set(query ? rows.filter((row) => texts.get(row).includes(query)) : rows);
      let shown = 0;
      for (const row of order ?? rows) {
        row.hidden = !found.has(row) || shown >= limit;
        if (!row.hidden) shown += 1;
      }
      if (output) output.textContent = shown === rows.length ? "" : `${shown} of ${rows.length} rows`;
    }
    function sort(heading) {
      load();
      const now = heading.getAttribute("aria-sort");
      const next = { none: "ascending", ascending: "descending", descending: "none" }[now];
      all("th[aria-sort]", box).forEach((one) => one.setAttribute("aria-sort", one === heading ? next : "none"));
      if (next === "none") order = null;
      else {
        const sign = next === "ascending" ? 1 : -1;
        const keyed = rows.map((row) => [valueOf(row.cells[heading.cellIndex]), row]);
        keyed.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : sign * compared(a, b)));
        order = keyed.map(([, row]) => row);
      }
      body.append(...(order ?? rows));
      show();
    }
    all("th[aria-sort]", box).forEach((one) => one.firstElementChild.addEventListener("click", () => sort(one)));
    if (search) search.addEventListener("input", show);
    if (more) more.addEventListener("click", () => {
      limit = Infinity;
      more.hidden = true;
      show();
    });
    if (rest && output) output.textContent = `${most} of ${most + rest.rows.length} rows`;
  }
  all(".table").forEach(makeTable);
})();
