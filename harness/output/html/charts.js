"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const root = document.documentElement;

  // --- theme ------------------------------------------------------------------------------------
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const themeButton = document.getElementById("theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches);
  const nameTheme = () => { themeButton.textContent = isDark() ? "Light theme" : "Dark theme"; };
  themeButton.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });
  systemDark.addEventListener("change", nameTheme);
  nameTheme();

  // --- charts: drawn as they come near ----------------------------------------------------------
  const charts = new Map(); // panel element -> chart
  const inView = new Set();
  let hidden = [];

  function draw(panel) {
    const chart = charts.get(panel);
    if (chart.view) return;
    const runtime = vega.parse(chart.spec, data.config, { ast: true });
    chart.view = new vega.View(runtime, {
      expr: vega.expressionInterpreter, renderer: "svg", container: panel, hover: false, logLevel: 1,
    });
    chart.view.signal("hidden", hidden).width(widthOf(panel)).run();
    chart.home = { x: chart.view.signal("xdom"), y: chart.view.signal("ydom") };
    panel.style.minHeight = "";
    all("svg", panel).forEach((svg) => svg.setAttribute("aria-hidden", "true"));
  }
  const widthOf = (panel) => Math.max(panel.clientWidth, 200);
  const drawAll = () => charts.forEach((_, panel) => { if (panel.clientWidth) draw(panel); });
  const update = (chart, signals) => {
    Object.entries(signals).forEach(([name, value]) => chart.view.signal(name, value));
    chart.view.runAsync();
  };

  const nearby = new IntersectionObserver((entries) => entries.forEach(({ target, isIntersecting }) => {
    if (isIntersecting) draw(target);
    inView[isIntersecting ? "add" : "delete"](target);
    if (isIntersecting) shine(charts.get(target));
  }), { rootMargin: "400px" });
  const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => {
    const { view } = charts.get(target);
    if (view && target.clientWidth && view._viewWidth !== widthOf(target)) view.width(widthOf(target)).runAsync();
  }));

  // --- zoom and pan -----------------------------------------------------------------------------
  const sides = (chart) => (chart.spec.usermeta.rows ? ["x"] : ["x", "y"]);

  function zoom(chart, factor, at = { x: 0.5, y: 0.5 }) {
    const signals = {};
    for (const side of sides(chart)) {
      const [low, high] = chart.view.signal(side + "dom");
      const home = chart.home[side][1] - chart.home[side][0];
      const span = (high - low) * factor;
      const held = Math.sign(home) * Math.min(Math.max(Math.abs(span), Math.abs(home) / 500), Math.abs(home) * 4);
      const middle = low + (high - low) * at[side];
      signals[side + "dom"] = [middle - held * at[side], middle + held * (1 - at[side])];
    }
    update(chart, signals);
  }
  function pan(chart, x, y) { // by parts of what is in view
    const signals = {};
    for (const side of sides(chart)) {
      const [low, high] = chart.view.signal(side + "dom");
      const step = (high - low) * (side === "x" ? x : y);
      signals[side + "dom"] = [low + step, high + step];
    }
    update(chart, signals);
  }
  const reset = (chart) => update(chart, { xdom: chart.home.x, ydom: chart.home.y });
  const place = (chart, event) => { // the pointer in the plot, in pixels from its upper left corner
    const box = event.currentTarget.getBoundingClientRect();
    const [left, top] = chart.view.origin();
    return [event.clientX - box.left - left, event.clientY - box.top - top];
  };
  const part = (chart, [x, y]) => ({ x: x / chart.view.signal("width"), y: 1 - y / chart.view.signal("height") });
  const KEYS = {
    "+": (chart) => zoom(chart, 0.7), "=": (chart) => zoom(chart, 0.7), "-": (chart) => zoom(chart, 1 / 0.7),
    0: reset, Escape: reset,
    ArrowLeft: (chart) => pan(chart, -0.1, 0), ArrowRight: (chart) => pan(chart, 0.1, 0),
    ArrowUp: (chart) => pan(chart, 0, 0.1), ArrowDown: (chart) => pan(chart, 0, -0.1),
  };

  function listen(panel, chart) {
    panel.addEventListener("wheel", (event) => { // the wheel alone scrolls the page
      if (!chart.view || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      zoom(chart, Math.exp(Math.max(-50, Math.min(50, event.deltaY)) / 150), part(chart, place(chart, event)));
    }, { passive: false });
    panel.addEventListener("keydown", (event) => {
      if (!chart.view || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
      event.preventDefault();
      KEYS[event.key](chart);
    });
    panel.addEventListener("dblclick", () => chart.view && reset(chart));
    panel.addEventListener("pointerdown", (event) => {
      if (!chart.view || event.pointerType === "touch" || event.button) return;
      chart.from = [event.clientX, event.clientY];
      chart.moved = false;
      panel.setPointerCapture(event.pointerId);
    });
    panel.addEventListener("pointermove", (event) => {
      if (!chart.view) return;
      if (!chart.from) return hover(panel, chart, event);
      const [x, y] = [event.clientX - chart.from[0], event.clientY - chart.from[1]];
      if (!panel.classList.contains("moving") && Math.hypot(x, y) < 4) return;
      panel.classList.add("moving");
      chart.moved = true;
      leave();
      chart.from = [event.clientX, event.clientY];
      pan(chart, -x / chart.view.signal("width"), y / chart.view.signal("height"));
    });
    for (const end of ["pointerup", "pointercancel"]) panel.addEventListener(end, () => {
      chart.from = null;
      panel.classList.remove("moving");
    });
    panel.addEventListener("pointerleave", leave);
    panel.addEventListener("click", (event) => { // keeps a model lit, or lets it go
      if (!chart.view || chart.moved) return;
      const name = hover(panel, chart, event);
      kept = name === kept ? -1 : name;
      if (tip.hidden) light(kept);
    });
  }

  // --- what is under the pointer ----------------------------------------------------------------
  const MOST_COVERED = 6;
  const tip = document.getElementById("tip");
  const number = (value) => (value == null ? "no value" : String(+value.toPrecision(5)).replace("-", "−"));
  let [lit, kept, under] = [-1, -1, null]; // names of models by number, and the chart under the pointer

  function nearest(chart, [x, y]) {
    const [across, up] = [chart.view.scale("x"), chart.view.scale("y")];
    const [width, height] = [chart.view.signal("width"), chart.view.signal("height")];
    let best = null;
    for (const point of chart.view.data("points")) {
      const [left, top] = [across(point.x), up(point.y)];
      if (left < -1 || left > width + 1 || top < -1 || top > height + 1) continue; // not in view
      const away = Math.hypot(left - x, top - y);
      if (away < (best ? best.away : 24)) best = { point, away };
    }
    return best && best.point;
  }
  function covered(chart, point) { // names of the other models whose marks lie at the same place
    if (point.n === undefined) return [];
    const [across, up] = [chart.view.scale("x"), chart.view.scale("y")];
    const near = chart.view.data("points").filter(
      (one) => Math.hypot(across(one.x) - across(point.x), up(one.y) - up(point.y)) < 1.5);
    const numbers = [...new Set(near.map((one) => one.n))].filter((n) => n !== undefined && n !== point.n);
    const names = numbers.slice(0, MOST_COVERED).map((n) => data.names[n]);
    if (numbers.length > names.length) names.push(`${numbers.length - names.length} more`);
    return names.length ? [`also here: ${names.join(", ")}`] : [];
  }
  function cell(chart, [x, y]) {
    if (x < 0 || y < 0 || x > chart.view.signal("width") || y > chart.view.signal("height")) return undefined;
    const [column, row] = [chart.view.scale("x").invert(x), chart.view.scale("y").invert(y)].map(Math.floor);
    return chart.view.data("cells").find((one) => one.x === column && one.y === row);
  }
  function rowAt(chart, y) { // the name of the nearest row
    const away = chart.view.signal("places").map((one) => Math.abs(one - y));
    return chart.view.signal("rows")[away.indexOf(Math.min(...away))];
  }
  function hover(panel, chart, event) {
    const at = place(chart, event);
    const meta = chart.spec.usermeta;
    const found = meta.map ? cell(chart, at) : nearest(chart, at);
    if (!found) return leave();
    if (meta.map) {
      const [rows, columns] = [chart.view.signal("rows"), chart.view.signal("columns")];
      write(`${rows[found.y]} × ${columns[found.x]}`, [`${meta.map}: ${number(found.v)}`]);
    } else {
      const [x, y] = [found.a ?? found.x, found.b ?? found.y].map((one) => one * (meta.times ?? 1));
      const row = meta.rows ? rowAt(chart, y) : undefined;
      const name = found.n === undefined ? row ?? data.groups[found.g] : data.names[found.n];
      const lines = [data.groups[found.g], row].filter((text) => text !== undefined && text !== name);
      const numbers = [`${meta.x || "x"}: ${number(x)}`, ...(meta.rows ? [] : [`${meta.y || "y"}: ${number(y)}`])];
      write(name, [...lines, ...numbers, ...covered(chart, found)]);
    }
    stand(event);
    return light(found.n ?? kept, chart);
  }
  function write(name, lines) { // as text: names come from strangers
    tip.replaceChildren();
    const head = document.createElement("b");
    head.textContent = name ?? "";
    tip.append(head, ...lines.map((line) => Object.assign(document.createElement("span"), { textContent: line })));
    tip.hidden = false;
  }
  function stand(event) {
    const { offsetWidth: width, offsetHeight: height } = tip;
    const left = event.clientX + 14 + width > innerWidth ? event.clientX - 14 - width : event.clientX + 14;
    const top = event.clientY + 14 + height > innerHeight ? event.clientY - 14 - height : event.clientY + 14;
    tip.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, top)}px)`;
  }
  function light(name, chart = null) { // the same model in all figures in view
    if (name !== lit || chart !== under) {
      [lit, under] = [name, chart];
      inView.forEach((panel) => shine(charts.get(panel)));
    }
    return name;
  }
  function shine(chart) {
    const { map, curves } = chart.spec.usermeta;
    const name = lit >= 0 && chart !== under && !curves ? data.names[lit] : "";
    if (!chart.view || map || (chart.view.signal("lit") === lit && chart.view.signal("lit_name") === name)) return;
    update(chart, { lit, lit_name: name });
  }
  function leave() {
    tip.hidden = true;
    return light(kept);
  }

  all(".panel").forEach((panel) => {
    const spec = data.panels[panel.dataset.panel];
    const chart = { spec };
    charts.set(panel, chart);
    panel.style.minHeight = `${spec.height}px`;
    if (spec.usermeta.most) panel.style.maxWidth = `${spec.usermeta.most}px`;
    listen(panel, chart);
    nearby.observe(panel);
    sizes.observe(panel);
  });
  all(".tools button").forEach((button) => button.addEventListener("click", () => {
    for (const panel of all(".panel", button.closest("figure"))) {
      const chart = charts.get(panel);
      draw(panel);
      if (button.dataset.zoom === "reset") reset(chart);
      else zoom(chart, button.dataset.zoom === "in" ? 0.7 : 1 / 0.7);
    }
  }));
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    kept = -1;
    leave();
  });
  addEventListener("scroll", leave, { passive: true });

  // --- groups: shown or hidden in every figure of the file --------------------------------------
  const buttons = all("button.group");
  const switchGroup = (group, shown) => buttons.forEach((button) => {
    if (button.dataset.group === group) button.setAttribute("aria-pressed", String(shown));
  });
  const isShown = (button) => button.getAttribute("aria-pressed") === "true";
  function switchGroups(groups, shown) {
    groups.forEach((group) => switchGroup(group, shown));
    hidden = [...new Set(buttons.filter((one) => !isShown(one)).map((one) => data.groups.indexOf(one.dataset.group)))];
    charts.forEach((chart) => { if (chart.view) update(chart, { hidden }); });
    everies.forEach((every) => { every.textContent = members(every).some(isShown) ? "Hide all" : "Show all"; });
  }
  const everies = all("button.every");
  const members = (every) => all("button.group", every.parentElement);
  buttons.forEach((button) => button.addEventListener("click", () => switchGroups([button.dataset.group], !isShown(button))));
  everies.forEach((every) => every.addEventListener("click", () => {
    switchGroups(members(every).map((one) => one.dataset.group), !members(every).some(isShown));
  }));

  // --- print, and where the reader is -----------------------------------------------------------
  const beforePrint = () => {
    all("details.part:not([open])").forEach((one) => {
      one.open = true;
      one.dataset.closed = "";
    });
    drawAll();
  };
  const afterPrint = () => all("details[data-closed]").forEach((one) => {
    one.open = false;
    delete one.dataset.closed;
  });
  addEventListener("beforeprint", beforePrint);
  addEventListener("afterprint", afterPrint);
  matchMedia("print").addEventListener("change", ({ matches }) => (matches ? beforePrint() : afterPrint()));

  const opened = () => { // a link to a folded part opens it
    const part = document.getElementById(location.hash.slice(1));
    const folded = part && part.querySelector(":scope > details");
    if (folded) folded.open = true;
  };
  addEventListener("hashchange", opened);
  opened();
  const links = new Map(all("nav a").map((link) => [document.getElementById(link.hash.slice(1)), link]));
  const reading = new IntersectionObserver((entries) => entries.forEach(({ target, isIntersecting }) => {
    if (!isIntersecting) return;
    links.forEach((link) => link.removeAttribute("aria-current"));
    links.get(target).setAttribute("aria-current", "true");
  }), { rootMargin: "-20% 0px -75%" });
  links.forEach((_, section) => reading.observe(section));
})();
