// The table: labelled rows and columns, references beside the labels that bring them, all images of every cell.

const GAP = 6;
const MANY = 240; // pixels that an image has at most, unless someone asks for more

// An element with attributes and children; what is text stays text.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function find(selector, within = document) {
  return within.querySelector(selector);
}

function referenceFigure(number) {
  const { role, name, source, small, url } = data.references[number];
  const caption = make("figcaption", { title: url ?? name }, make("span", { class: "role" }, role), ` ${name}`);
  if (!small) return make("figure", { class: "reference" }, make("div", { class: "blank" }, url ? "by URL" : "no file"), caption);
  const picture = make("img", { src: small, alt: `${role}: ${name}`, loading: "lazy" });
  const link = make("a", { href: source, target: "_blank", rel: "noopener", "aria-label": `Reference, ${role}: ${name}` }, picture);
  return make("figure", { class: "reference" }, link, caption);
}

function referenceList(numbers) {
  return numbers.length ? make("div", { class: "references" }, ...numbers.map(referenceFigure)) : null;
}

function shotFigure(shot, caption, isPicked) {
  const { small, width, height } = shot.image;
  const about = describe(shot);
  const picture = make("img", { src: small, alt: about, width, height, loading: "lazy", decoding: "async" });
  return make("figure", { class: "shot", "data-key": shot.key },
    make("button", { type: "button", class: "open", "aria-label": `Open ${about}` }, picture),
    make("figcaption", {},
      make("label", {}, make("input", { type: "checkbox", class: "pick", checked: isPicked, "aria-label": `Select ${about}` }),
        make("span", {}, caption))));
}

function problemBox(text, caption, state) {
  return make("div", { class: `problem ${state.replaceAll(" ", "-")}` }, caption ? make("b", {}, `${caption} `) : null, text);
}

function sampleShots(cell, sample, which, picked) {
  const several = cell.samples.length > 1;
  const alone = sample.images.length <= 1;
  const name = several ? `sample ${which + 1}` : "";
  if (!sample.images.length) return [problemBox(sample.said, name && `${name}:`, sample.state)];
  return sample.images.map((image) => {
    const caption = alone && several ? name : `image ${image.index + 1}`;
    const shot = shots.get(image.key);
    if (shot) return shotFigure(shot, caption, picked.includes(image.key));
    return problemBox(image.problem, `${caption}:`, "gone");
  });
}

function cellContent(cell, picked) {
  if (!cell) return [make("p", { class: "none" }, "not in the design")];
  const grids = cell.samples.map((sample, which) => sampleShots(cell, sample, which, picked));
  if (grids.every((grid) => grid.length === 1)) return [make("div", { class: "shots" }, ...grids.flat())];
  return grids.map((grid, which) => make("div", { class: "sample" },
    cell.samples.length > 1 && cell.samples[which].images.length ? make("h3", {}, `sample ${which + 1}`) : null,
    make("div", { class: "shots" }, ...grid)));
}

// How many lines from one on have the same labels down to a depth; 0 where that began before.
function span(lines, start, depth) {
  const key = (line) => line.levels.slice(0, depth + 1).join();
  if (start && key(lines[start - 1]) === key(lines[start])) return 0;
  let end = start;
  while (end < lines.length && key(lines[end]) === key(lines[start])) end += 1;
  return end - start;
}

function levelLabel(name, level) {
  return data.axes[axisNames.indexOf(name)].levels[level];
}

function headRows(table, view) {
  // Repeats of one request have nothing to be labelled with.
  const depth = axisNames.length ? Math.max(1, view.columns.length) : 0;
  return Array.from({ length: depth }, (_, level) => {
    const row = make("tr");
    if (level === 0) {
      view.rows.forEach((name, place) => row.append(
        make("th", { scope: "col", rowspan: depth, class: "corner", "data-place": place }, name)));
      if (!view.rows.length) row.append(make("td", { rowspan: depth, class: "corner", "data-place": 0 }));
    }
    if (!view.columns.length) row.append(make("td", { class: "column" }));
    table.columns.forEach((column, start) => {
      const wide = view.columns.length ? span(table.columns, start, level) : 0;
      if (!wide) return;
      const name = view.columns[level];
      row.append(make("th", { scope: wide > 1 ? "colgroup" : "col", colspan: wide, class: "column" },
        make("div", { class: "label" }, make("span", { class: "axis" }, name), ` ${levelLabel(name, column.levels[level])}`),
        referenceList(column.references[level])));
    });
    return row;
  });
}

function bodyRows(table, view) {
  return table.rows.map((line, start) => {
    const row = make("tr");
    view.rows.forEach((name, level) => {
      const high = span(table.rows, start, level);
      if (!high) return;
      // On paper a label that goes over many rows is pages away; there the innermost says all of them.
      const outer = view.rows.slice(0, level).map((each, depth) => levelLabel(each, line.levels[depth]));
      const isInner = level > 0 && level === view.rows.length - 1;
      row.append(make("th", { scope: high > 1 ? "rowgroup" : "row", rowspan: high, class: "row", "data-place": level },
        make("div", { class: "label" },
          isInner ? make("div", { class: "outer", "aria-hidden": "true" }, outer.join(" · ")) : null,
          levelLabel(name, line.levels[level]), referenceList(line.references[level]))));
    });
    if (!view.rows.length && axisNames.length) row.append(make("th", { class: "row", "data-place": 0 }));
    table.cells[start].forEach((cell) => row.append(make("td", {}, ...cellContent(cell, view.picked))));
    return row;
  });
}

// Draw the table of a view, and return the keys of its images in the order in which they are on the page.
function drawTable(view) {
  const table = arrange(view);
  const element = find("#table");
  const caption = make("caption", { class: "unseen" }, [data.name, ...["rows", "columns"].map((name) => (view[name].length ? `${name} by ${view[name].join(", ")}` : ""))].filter(Boolean).join("; "));
  element.replaceChildren(caption, make("thead", {}, ...headRows(table, view)), make("tbody", {}, ...bodyRows(table, view)));
  const isEmpty = !table.rows.length || !table.columns.length;
  element.hidden = isEmpty;
  find("#nothing").hidden = !isEmpty;
  return [...element.querySelectorAll(".shot")].map((shot) => shot.dataset.key);
}

// How wide the labels of an axis are, as its labels need it.
function labelWidth(name, isNarrow) {
  const longest = Math.max(...data.axes[axisNames.indexOf(name)].levels.map((label) => label.length));
  const own = 8 * name.length + 18;
  if (longest > 60) return isNarrow ? 140 : 240;
  return Math.max(own, longest > 16 ? (isNarrow ? 110 : 170) : (isNarrow ? 84 : 120));
}

// Choose how wide images are and how many stand side by side, so that the table fits the window where it can.
function fitTable(view, wished) {
  const table = find("#table");
  const root = document.documentElement;
  const isNarrow = root.clientWidth < 900;
  const widths = view.rows.length ? view.rows.map((name) => labelWidth(name, isNarrow)) : [axisNames.length ? 24 : 0];
  const columns = table.tBodies[0]?.rows[0]?.querySelectorAll("td").length || 1;
  const most = Math.max(1, ...[...table.querySelectorAll(".shots")].map((shots) => shots.childElementCount));
  const labels = widths.reduce((sum, width) => sum + width, 0);
  const room = Math.max(128, (root.clientWidth - (isNarrow ? 22 : 34) - labels) / columns - (isNarrow ? 13 : 17));
  const comfortable = Math.max(1, Math.min(most, Math.floor(room / (isNarrow ? 96 : 116))));
  const size = wished ?? Math.floor(Math.min(MANY, (room + GAP) / comfortable - GAP));
  const across = Math.max(1, Math.min(most, Math.floor((room + GAP) / (size + GAP))));
  root.style.setProperty("--size", `${size}px`);
  root.style.setProperty("--across", across);
  root.style.setProperty("--labels", `${labels}px`);
  for (const header of table.querySelectorAll("[data-place]")) {
    const place = Number(header.dataset.place);
    header.style.setProperty("--width", `${widths[place]}px`);
    header.style.left = `${widths.slice(0, place).reduce((sum, width) => sum + width, 0)}px`;
  }
  root.style.setProperty("--head", `${table.tHead?.offsetHeight ?? 0}px`);
  return size;
}
