// Images large: one with everything that is known of it, or two to four compared under one lens.

// One zoom and one position for all pictures of a stage. Position is in parts of the stage's panes, so that
// pictures of different sizes move alike.
class Lens {
  #stage;
  #tell;
  #drag = null;

  constructor(stage, tell = () => {}) {
    this.#stage = stage;
    this.#tell = tell;
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY / (event.deltaMode ? 20 : 400)), this.#pointOf(event));
    }, { passive: false });
    stage.addEventListener("pointerdown", (event) => {
      if (event.button || event.target.closest(".handle")) return;
      this.#drag = this.#pointOf(event);
      stage.setPointerCapture(event.pointerId);
    });
    stage.addEventListener("pointermove", (event) => {
      if (!this.#drag) return;
      const pane = find(".pane", stage).getBoundingClientRect();
      this.moveBy(event.movementX / pane.width, event.movementY / pane.height);
    });
    for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, () => { this.#drag = null; });
    stage.addEventListener("dblclick", (event) => (this.zoom > 1 ? this.fit() : this.zoomBy(3, this.#pointOf(event))));
    this.fit();
  }

  fit() {
    Object.assign(this, { zoom: 1, x: 0, y: 0 });
    this.#draw();
  }

  zoomBy(factor, [x, y] = [0.5, 0.5]) {
    const zoom = Math.min(32, Math.max(1, this.zoom * factor));
    this.x = x - (x - this.x) * (zoom / this.zoom);
    this.y = y - (y - this.y) * (zoom / this.zoom);
    this.zoom = zoom;
    this.#draw();
  }

  moveBy(x, y) {
    this.x += x;
    this.y += y;
    this.#draw();
  }

  // Keys that both kinds of stage have; true when one was meant for it.
  press(key) {
    const factor = { "+": 1.25, "=": 1.25, "-": 0.8 }[key];
    if (factor) this.zoomBy(factor);
    else if (key === "0") this.fit();
    return Boolean(factor) || key === "0";
  }

  #pointOf(event) {
    const pane = (event.target.closest?.(".pane") ?? find(".pane", this.#stage)).getBoundingClientRect();
    return [(event.clientX - pane.left) / pane.width, (event.clientY - pane.top) / pane.height];
  }

  #draw() {
    // The picture never leaves its pane.
    const within = (value) => Math.min(0, Math.max(1 - this.zoom, value));
    [this.x, this.y] = [within(this.x), within(this.y)];
    this.#stage.style.setProperty("--x", `${this.x * 100}%`);
    this.#stage.style.setProperty("--y", `${this.y * 100}%`);
    this.#stage.style.setProperty("--zoom", this.zoom);
    this.#tell(this.zoom);
  }
}

// The full picture; until it is there, its small one.
function largePicture(shot) {
  const picture = make("img", { src: shot.image.small, alt: describe(shot), draggable: "false" });
  const whole = new Image();
  whole.addEventListener("load", () => { picture.src = whole.src; });
  whole.src = shot.image.source;
  return picture;
}

function pane(shot, caption) {
  return make("figure", { class: "pane", "data-key": shot.key }, make("div", { class: "frame" }, largePicture(shot)),
    caption ? make("figcaption", {}, caption) : null);
}

// How many panes stand side by side, for pictures of one shape to be as large as they can.
function beside(count, shape, width, height) {
  const sizeWith = (columns) => Math.min(width / columns / shape, height / Math.ceil(count / columns));
  const choices = Array.from({ length: count }, (_, place) => place + 1);
  return choices.reduce((best, columns) => (sizeWith(columns) > sizeWith(best) ? columns : best));
}

function factList(pairs) {
  return make("dl", {}, ...pairs.flatMap(([label, value]) => [make("dt", {}, label), make("dd", {}, value)]));
}

class Viewer {
  #dialog = find("#viewer");
  #stage = find("#viewer .stage");
  #lens = new Lens(this.#stage);

  constructor({ onMove, onPick, onClose }) {
    find(".before", this.#dialog).addEventListener("click", () => onMove(-1));
    find(".after", this.#dialog).addEventListener("click", () => onMove(1));
    find(".pick", this.#dialog).addEventListener("click", onPick);
    find(".close", this.#dialog).addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", onClose);
    this.#dialog.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      if (step) onMove(step);
      else if (!this.#lens.press(event.key)) return;
      event.preventDefault();
    });
  }

  show(shot, order, isPicked) {
    const { cell, sample, image } = shot;
    if (this.#stage.dataset.key !== shot.key) {
      this.#stage.dataset.key = shot.key;
      this.#stage.replaceChildren(pane(shot));
      this.#lens.fit();
    }
    find("h2", this.#dialog).textContent = [...axisNames.map((name) => labelOf(cell, name)), placeOf(shot)].join(" · ");
    find(".place", this.#dialog).textContent = order.includes(shot.key) ? `${order.indexOf(shot.key) + 1} of ${order.length}` : "";
    find(".pick", this.#dialog).textContent = isPicked ? "Selected ✓" : "Select";
    find(".pick", this.#dialog).setAttribute("aria-pressed", isPicked);
    const link = make("a", { href: image.source, target: "_blank", rel: "noopener" }, "Open the file");
    find(".about", this.#dialog).replaceChildren(
      data.sandbox ? make("p", { class: "mark" }, "SANDBOX") : "",
      factList(axisNames.map((name) => [name, labelOf(cell, name)]).filter(([, label]) => label !== cell.prompt)),
      make("h3", {}, "Prompt as sent"), make("p", { class: "prompt" }, cell.prompt || "none"),
      make("h3", {}, "References"), referenceList(cell.references) ?? make("p", {}, "none"),
      make("h3", {}, "Request and result"), factList([...cell.facts, ...sample.facts, ...image.facts]),
      make("p", {}, link));
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  hide() {
    this.#dialog.close();
  }
}

class Comparing {
  #dialog = find("#comparing");
  #stage = find("#comparing .stage");
  #lens = new Lens(this.#stage, (zoom) => { find("#comparing .zoom").textContent = `${Math.round(zoom * 100)} %`; });
  #cut = 50;
  #shape = 1;

  constructor({ onMode, onClose }) {
    const on = (selector, act) => find(selector, this.#dialog).addEventListener("click", act);
    on(".side", () => onMode("side"));
    on(".slide", () => onMode("slider"));
    on(".in", () => this.#lens.zoomBy(1.25));
    on(".out", () => this.#lens.zoomBy(0.8));
    on(".fit", () => this.#lens.fit());
    on(".close", () => this.#dialog.close());
    addEventListener("resize", () => { if (this.#dialog.open) this.#lay(); });
    this.#dialog.addEventListener("close", onClose);
    this.#dialog.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.target === this.#stage && way) this.#lens.moveBy(...way);
      else if (!this.#lens.press(event.key)) return;
      event.preventDefault();
    });
  }

  show(picked, mode) {
    const chosen = picked.map((key) => shots.get(key));
    const differing = axisNames.filter((name) => new Set(chosen.map(({ cell }) => labelOf(cell, name))).size > 1);
    const alike = axisNames.filter((name) => !differing.includes(name)).map((name) => labelOf(chosen[0].cell, name));
    const caption = (shot) => [...differing.map((name) => labelOf(shot.cell, name)), placeOf(shot)].join(" · ");
    const isNew = this.#stage.dataset.shown !== `${picked} ${mode}`;
    find("h2", this.#dialog).textContent = [...alike, ...(data.sandbox ? ["SANDBOX"] : [])].join(" · ") || "Compared";
    find(".modes", this.#dialog).hidden = chosen.length !== 2;
    find(".side", this.#dialog).setAttribute("aria-pressed", mode === "side");
    find(".slide", this.#dialog).setAttribute("aria-pressed", mode === "slider");
    if (isNew) {
      this.#stage.dataset.shown = `${picked} ${mode}`;
      this.#stage.className = `stage ${mode}`;
      this.#stage.replaceChildren(...chosen.map((shot) => pane(shot, caption(shot))));
      if (mode === "slider") this.#stage.append(this.#handle());
    }
    if (!this.#dialog.open) {
      this.#lens.fit();
      this.#dialog.showModal();
      this.#stage.focus();
    }
    this.#shape = chosen[0].image.width / chosen[0].image.height || 1;
    this.#lay();
  }

  #lay() {
    // Captions of one height make panes of one size, which the lens then moves by as many pixels.
    this.#stage.style.removeProperty("--caption");
    const captions = [...this.#stage.querySelectorAll("figcaption")].map((caption) => caption.offsetHeight);
    this.#stage.style.setProperty("--caption", `${Math.max(...captions)}px`);
    const { clientWidth, clientHeight, childElementCount } = this.#stage;
    this.#stage.style.setProperty("--beside", beside(childElementCount, this.#shape, clientWidth, clientHeight));
  }

  hide() {
    this.#dialog.close();
  }

  #handle() {
    const handle = make("div", { class: "handle", role: "slider", tabindex: "0", "aria-label": "How much of the left image is shown",
      "aria-valuemin": "0", "aria-valuemax": "100" });
    const put = (cut) => {
      this.#cut = Math.min(100, Math.max(0, cut));
      this.#stage.style.setProperty("--cut", `${this.#cut}%`);
      handle.setAttribute("aria-valuenow", Math.round(this.#cut));
      handle.setAttribute("aria-valuetext", `${Math.round(this.#cut)} %`);
    };
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      event.preventDefault();
      handle.focus();
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const frame = this.#stage.getBoundingClientRect();
      put(((event.clientX - frame.left) / frame.width) * 100);
    });
    handle.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100 }[event.key];
      if (!step) return;
      put(this.#cut + step);
      event.preventDefault();
      event.stopPropagation();
    });
    put(50);
    return handle;
  }
}
