// What is compared, how it is laid out, and how a view is written into an address. Touches no element but the data.

const data = JSON.parse(document.getElementById("data").textContent);
const axisNames = data.axes.map((axis) => axis.name);
const MOST_COMPARED = 4;

// Every image that is there, by a key that is the same in every layout: cell, sample and image, from 1.
const shots = new Map();
data.cells.forEach((cell, number) => {
  cell.samples.forEach((sample, which) => {
    for (const image of sample.images) {
      image.key = `${number + 1}.${which + 1}.${image.index + 1}`;
      if (image.source) shots.set(image.key, { key: image.key, cell, sample, which, image });
    }
  });
});

// Where a cell is on an axis, as a label.
function labelOf(cell, name) {
  const axis = axisNames.indexOf(name);
  return data.axes[axis].levels[cell.at[axis]];
}

// Which of several images, where its cell has more than one.
function placeOf({ cell, which, image }) {
  const several = cell.samples.length > 1 ? [`sample ${which + 1}`] : [];
  return [...several, `image ${image.index + 1}`].join(", ");
}

// An image in words.
function describe(shot) {
  const labels = axisNames.map((name) => `${name}: ${labelOf(shot.cell, name)}`);
  return [...labels, placeOf(shot), ...(data.sandbox ? ["sandbox"] : [])].join(", ");
}

function common(cells) {
  if (!cells.length) return [];
  return cells[0].references.filter((one) => cells.every((cell) => cell.references.includes(one)));
}

// Whether a reference may stand beside the labels of an axis: not where only another axis brings it, and the cells of
// a level happen to share it.
function belongs(reference, name) {
  const bringing = data.axes.filter((axis) => axis.brings.includes(reference));
  return !bringing.length || bringing.some((axis) => axis.name === name);
}

// Every combination of levels of some axes, the first axis slowest, as lists of level numbers.
function combinations(names, isHidden) {
  return names.reduce((lines, name) => {
    const levels = data.axes[axisNames.indexOf(name)].levels.map((_, level) => level);
    const shown = levels.filter((level) => !isHidden(name, level));
    return lines.flatMap((line) => shown.map((level) => [...line, level]));
  }, [[]]);
}

// One side of the table: its lines, each with the level of every axis and the references that come with each level.
function side(names, hidden, everywhere) {
  const at = (cell) => names.map((name) => cell.at[axisNames.indexOf(name)]);
  const there = new Map(data.cells.map((cell) => [at(cell).join(), cell]));
  const isHidden = (name, level) => hidden.has(`${name}.${level}`);
  return combinations(names, isHidden).filter((line) => there.has(line.join())).map((levels) => {
    const known = new Set(everywhere);
    const references = levels.map((_, depth) => {
      const start = levels.slice(0, depth + 1).join();
      const under = data.cells.filter((cell) => at(cell).slice(0, depth + 1).join() === start);
      const own = common(under).filter((one) => !known.has(one) && belongs(one, names[depth]));
      own.forEach((one) => known.add(one));
      return own;
    });
    return { levels, references };
  });
}

// The table of a view: rows, columns and, for each pair, the cell.
function arrange({ rows, columns, hidden }) {
  const everywhere = common(data.cells);
  const lines = { rows: side(rows, hidden, everywhere), columns: side(columns, hidden, everywhere) };
  const placed = new Map(data.cells.map((cell) => {
    const at = [...rows, ...columns].map((name) => cell.at[axisNames.indexOf(name)]);
    return [at.join(), cell];
  }));
  const cells = lines.rows.map((row) =>
    lines.columns.map((column) => placed.get([...row.levels, ...column.levels].join()) ?? null));
  return { ...lines, cells, everywhere };
}

// ---- the view, and its address ----------------------------------------------------------------------------------

function firstView() {
  return { rows: data.rows, columns: data.columns, hidden: new Set(), picked: [], open: null, mode: null };
}

// Put every axis on one side: those named on none are the innermost rows.
function placed(rows, columns) {
  const known = (names) => names.filter((name, place) => axisNames.includes(name) && names.indexOf(name) === place);
  const onColumns = known(columns);
  const onRows = known(rows).filter((name) => !onColumns.includes(name));
  const rest = axisNames.filter((name) => !onRows.includes(name) && !onColumns.includes(name));
  return { rows: [...onRows, ...rest], columns: onColumns };
}

function fromHash(hash) {
  const view = firstView();
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const list = (name) => (given.get(name) ?? "").split(",").filter(Boolean);
  if (given.has("rows") || given.has("columns")) Object.assign(view, placed(list("rows"), list("columns")));
  for (const each of list("hide")) {
    const [name, level] = [each.slice(0, each.lastIndexOf(".")), Number(each.slice(each.lastIndexOf(".") + 1)) - 1];
    if (data.axes[axisNames.indexOf(name)]?.levels[level] !== undefined) view.hidden.add(`${name}.${level}`);
  }
  view.picked = [...new Set(list("images"))].filter((key) => shots.has(key)).slice(0, MOST_COMPARED);
  if (shots.has(given.get("open"))) view.open = given.get("open");
  else if (view.picked.length > 1 && given.has("compare")) view.mode = modeFor(view, given.get("compare"));
  return view;
}

function modeFor(view, wished) {
  return wished === "slider" && view.picked.length === 2 ? "slider" : "side";
}

function toHash(view) {
  const first = firstView();
  const parts = [];
  const put = (name, values) => parts.push(`${name}=${values.map(encodeURIComponent).join(",")}`);
  const moved = ["rows", "columns"].some((name) => view[name].join() !== first[name].join());
  if (moved) {
    put("rows", view.rows);
    put("columns", view.columns);
  }
  const hidden = [...view.hidden].map((each) => each.replace(/\d+$/, (level) => String(Number(level) + 1)));
  if (hidden.length) put("hide", hidden);
  if (view.picked.length) put("images", view.picked);
  if (view.open) put("open", [view.open]);
  if (view.mode) put("compare", [view.mode]);
  return parts.length ? `#${parts.join("&")}` : "";
}
