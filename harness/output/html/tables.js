"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // --- tables: sorted and filtered --------------------------------------------------------------
  const MISSING = new Set(["", "–"]);
  const valueOf = (element) => {
    const text = element.dataset.value ?? element.textContent.trim();
    return MISSING.has(text) ? null : text;
  };
  const collator = new Intl.Collator("en");
  const NUMBERS = /(\d+(?:\.\d+)?)/; // in a name: eps0.03 comes before eps0.1, and v9 before v10
  function compared(left, right) {
    const [a, b] = [Number(left), Number(right)];
    if (!Number.isNaN(a) && !Number.isNaN(b)) return a - b;
    const [one, other] = [left.split(NUMBERS), right.split(NUMBERS)]; // every second part is a number
    const at = one.findIndex((part, place) => part !== other[place]);
    if (at < 0 || at >= other.length) return one.length - other.length;
    return (at % 2 && one[at] - other[at]) || collator.compare(one[at], other[at]) || collator.compare(left, right);
  }

  function counted(shown, matching, all) { // what is not shown, by the filter or by the limit
    if (shown === all) return `${all} rows`;
    return matching === all || shown === matching ? `${shown} of ${all} rows` : `${shown} of ${matching} rows that match, of ${all}`;
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
      if (query) texts ??= new Map(rows.map((row) => [row, [...row.cells].map((cell) => cell.textContent).join("\n").toLowerCase()]));
      const found = new Set(query ? rows.filter((row) => texts.get(row).includes(query)) : rows);
      let shown = 0;
      for (const row of order ?? rows) {
        row.hidden = !found.has(row) || shown >= limit;
        if (!row.hidden) shown += 1;
      }
      if (output) output.textContent = counted(shown, found.size, rows.length);
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
    const total = body.rows.length + (rest ? rest.rows.length : 0);
    if (output) output.textContent = counted(body.rows.length, total, total);
  }
  all(".table").forEach(makeTable);
})();
