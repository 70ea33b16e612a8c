// The page: controls, the view that they choose, and the address that says which it is.

let view = firstView();
let order = [];
let wished = null; // pixels of an image, where someone has chosen

const viewer = new Viewer({
  onMove(step) {
    const place = order.indexOf(view.open);
    const next = order[place + step];
    if (next) change({ open: next });
  },
  onPick: () => pick(view.open),
  onClose: () => {
    const last = view.open;
    change({ open: null });
    // The image that was looked at last, which need not be the one that was opened.
    if (last) find(`.shot[data-key="${last}"] .open`)?.focus();
  },
});

const comparing = new Comparing({
  onMode: (mode) => change({ mode }),
  onClose: () => change({ mode: null }),
});

function say(message) {
  find("#status").textContent = message;
}

// Take over what has changed, and draw that.
function change(changes) {
  const before = view;
  view = { ...view, ...changes };
  if ("rows" in changes || "hidden" in changes) drawLayout();
  else if (view.picked !== before.picked) drawPicks();
  drawViews();
  const hash = toHash(view);
  try {
    history.replaceState(null, "", hash || location.pathname + location.search);
  } catch {
    // Some frames allow no address of their own; the page works all the same.
  }
}

function pick(key) {
  const picked = view.picked.filter((each) => each !== key);
  if (picked.length === view.picked.length) {
    if (picked.length === MOST_COMPARED) {
      say(`At most ${MOST_COMPARED} images are compared; take one out first.`);
      drawPicks();
      return;
    }
    picked.push(key);
  }
  change({ picked });
  say(`${picked.length} selected.`);
}

// ---- drawing --------------------------------------------------------------------------------------------------------

function drawLayout() {
  order = drawTable(view);
  wished = wished && Number(find("#size").value);
  find("#size").value = fitTable(view, wished);
  drawPlaces();
  drawLevels();
  drawPicks();
}

function drawPicks() {
  for (const shot of document.querySelectorAll("#table .shot")) {
    const isPicked = view.picked.includes(shot.dataset.key);
    shot.classList.toggle("picked", isPicked);
    find(".pick", shot).checked = isPicked;
  }
  find("#tray").hidden = !view.picked.length;
  document.body.classList.toggle("picking", view.picked.length > 0);
  find("#compare").disabled = view.picked.length < 2;
  find("#compare").textContent = view.picked.length < 2 ? "Compare: select one more" : `Compare ${view.picked.length}`;
  find("#tray .picked").replaceChildren(...view.picked.map((key) => {
    const about = describe(shots.get(key));
    return make("button", { type: "button", "data-key": key, title: `Take out: ${about}`, "aria-label": `Take out: ${about}` },
      make("img", { src: shots.get(key).image.small, alt: "" }));
  }));
}

function drawViews() {
  if (view.open) viewer.show(shots.get(view.open), order, view.picked.includes(view.open));
  else viewer.hide();
  if (view.mode) comparing.show(view.picked, view.mode);
  else comparing.hide();
}

// ---- controls -------------------------------------------------------------------------------------------------------

function selectBox(id, label, options, value) {
  const choices = options.map(([key, text]) => make("option", { value: key, selected: key === value }, text));
  return make("label", {}, `${label} `, make("select", { id }, ...choices));
}

// The two outermost axes are chosen; of each other axis it is chosen on which side it nests.
function drawPlaces() {
  const focused = document.activeElement?.id;
  const [row, column] = [view.rows[0] ?? "", view.columns[0] ?? ""];
  const names = axisNames.map((name) => [name, name]);
  const boxes = [
    selectBox("rows", "Rows", [...names, ["", "(none)"]], row),
    selectBox("columns", "Columns", [...names, ["", "(none)"]], column),
  ];
  axisNames.filter((name) => name !== row && name !== column).forEach((name) => boxes.push(
    selectBox(`nest-${name}`, name, [["rows", "within rows"], ["columns", "within columns"]], view.rows.includes(name) ? "rows" : "columns")));
  find("#places").replaceChildren(...boxes);
  if (focused) document.getElementById(focused)?.focus();
}

function movedPlaces(box) {
  let [row, column] = [view.rows[0] ?? "", view.columns[0] ?? ""];
  const isOn = (name, side) => view[side].includes(name);
  let nested = new Map(axisNames.map((name) => [name, isOn(name, "columns") ? "columns" : "rows"]));
  if (box.id === "rows") {
    if (box.value && box.value === column) column = row;
    nested = nested.set(row, "rows");
    row = box.value;
  } else if (box.id === "columns") {
    if (box.value && box.value === row) row = column;
    nested = nested.set(column, "rows");
    column = box.value;
  } else nested = nested.set(box.id.replace("nest-", ""), box.value);
  const rest = axisNames.filter((name) => name !== row && name !== column);
  const inside = (side) => rest.filter((name) => nested.get(name) === side);
  return {
    rows: [row, ...(row ? inside("rows") : [])].filter(Boolean),
    columns: [column, ...inside("columns"), ...(row ? [] : inside("rows"))].filter(Boolean),
  };
}

function drawLevels() {
  const boxes = data.axes.map((axis) => make("fieldset", {}, make("legend", {}, axis.name),
    ...axis.levels.map((label, level) => make("label", {},
      make("input", { type: "checkbox", "data-level": `${axis.name}.${level}`, checked: !view.hidden.has(`${axis.name}.${level}`) }),
      make("span", {}, label)))));
  const place = find("#levels .levels");
  if (!place.childElementCount) place.append(...boxes);
  for (const box of place.querySelectorAll("input")) box.checked = !view.hidden.has(box.dataset.level);
  find("#levels summary").textContent = view.hidden.size ? `Levels shown (${view.hidden.size} hidden)` : "Levels shown";
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function listen() {
  find("#table").addEventListener("click", (event) => {
    const opened = event.target.closest(".open");
    if (opened) change({ open: opened.closest(".shot").dataset.key });
  });
  find("#table").addEventListener("change", (event) => pick(event.target.closest(".shot").dataset.key));
  find("#places").addEventListener("change", (event) => change(movedPlaces(event.target)));
  find("#levels").addEventListener("change", (event) => {
    const hidden = new Set(view.hidden);
    if (event.target.checked) hidden.delete(event.target.dataset.level);
    else hidden.add(event.target.dataset.level);
    change({ hidden });
  });
  find("#controls").addEventListener("submit", (event) => event.preventDefault());
  find("#size").addEventListener("input", (event) => {
    wished = Number(event.target.value);
    fitTable(view, wished);
  });
  find("#tray .picked").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    pick(button.dataset.key);
    (find("#tray .picked button") ?? find("#rows")).focus();
  });
  find("#compare").addEventListener("click", () => change({ mode: "side" }));
  find("#clear").addEventListener("click", () => {
    change({ picked: [] });
    say("Nothing is selected.");
    find("#rows").focus();
  });
  find("#theme").addEventListener("click", (event) => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    event.target.textContent = isDark() ? "Light" : "Dark";
  });
  addEventListener("hashchange", () => start());
  addEventListener("resize", () => { find("#size").value = fitTable(view, wished); });
  matchMedia("print").addEventListener("change", (event) => { find("#made").open = event.matches || find("#made").open; });
}

function start() {
  view = fromHash(location.hash);
  drawLayout();
  drawViews();
}

find("#name").textContent = data.name;
find("#mark").hidden = !data.sandbox;
find("#summary").textContent = data.summary;
find("#theme").textContent = isDark() ? "Light" : "Dark";
find("#places").hidden = find("#levels").hidden = !axisNames.length;
drawResults(data.results);
find("#made dl").replaceWith(factList(data.made));
const shared = common(data.cells);
find("#common").hidden = !shared.length;
find("#common .references").replaceChildren(...shared.map(referenceFigure));
listen();
start();
