// What both places share: elements, words, a clock, pictures that are there before they are shown, and the answers.

// An element; a property that is no attribute of HTML is set as it is, and what is null or false is left out.
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// Whether what has the focus scrolls by itself, in the direction of the space bar.
function canScroll({ target, shiftKey }) {
  const most = target.scrollHeight - target.clientHeight;
  const isScrolling = most > 1 && getComputedStyle(target).overflowY !== "visible";
  return isScrolling && (shiftKey ? target.scrollTop > 0 : target.scrollTop < most - 1);
}

// How long something was looked at: while the page is hidden it is not.
class Stopwatch {
  #since = null;
  #before = 0;
  #follow = () => {
    if (document.hidden) this.#pause();
    else this.#since ??= performance.now();
  };

  #pause() {
    if (this.#since !== null) this.#before += performance.now() - this.#since;
    this.#since = null;
  }

  start() {
    this.#before = 0;
    this.#since = document.hidden ? null : performance.now();
    document.addEventListener("visibilitychange", this.#follow);
  }

  get milliseconds() {
    return Math.round(this.#before + (this.#since === null ? 0 : performance.now() - this.#since));
  }

  stop() {
    this.#since = null;
    document.removeEventListener("visibilitychange", this.#follow);
  }
}

// The height that is left for the pictures in what the whole form is scrolled in, for the answers to be seen with them.
class Room {
  #root;
  #source;
  #rest = 0;
  #foot = null;

  constructor(root, source) {
    this.#root = root;
    this.#source = source;
  }

  // Measure what stands around the stage, and return whether it is higher than any before: the pictures are not to
  // change their size with every prompt.
  fit(stage) {
    if (!stage.isConnected || document.fullscreenElement) return false;
    // The foot as it was at first: a message that comes and goes there must not move a button that is being pressed.
    const foot = this.#root.querySelector(".kr-foot").offsetHeight;
    this.#foot ??= foot;
    const rest = this.#root.offsetHeight - stage.offsetHeight - foot + this.#foot;
    const isMore = rest > this.#rest;
    this.#rest = Math.max(rest, this.#rest);
    const { port } = this.#source;
    if (port) this.#root.style.setProperty("--room", `${port.clientHeight - this.#rest}px`);
    return isMore;
  }

  // At another width everything has another height.
  forget() {
    this.#rest = 0;
    this.#foot = null;
  }
}

// The pictures around the item that is shown: fetched a few at a time, the soonest first, and let go when they are far.
class Pictures {
  #source;
  #found = new Map(); // token -> { address, promise, resolve, reject }
  #wanted = [];
  #running = 0;
  #isOver = false;

  constructor(source) {
    this.#source = source;
  }

  // Fetch these in this order, and forget all others.
  want(tokens) {
    for (const [token, entry] of this.#found) {
      if (tokens.includes(token)) continue;
      this.#found.delete(token);
      this.#source.release?.(entry.address);
    }
    for (const token of tokens) if (!this.#found.has(token)) this.#found.set(token, this.#entry());
    this.#wanted = tokens.filter((token) => !this.#found.get(token).isAsked);
    this.#ask();
  }

  // A picture as an element that can be painted at once; of one that could not be had, the next call tries again.
  async element(token) {
    const entry = this.#found.get(token);
    if (!entry) throw new Error("not wanted");
    const picture = make("img", { src: await entry.promise, alt: "", draggable: "false" });
    try {
      await picture.decode();
    } catch (problem) {
      this.#found.delete(token);
      throw problem;
    }
    return picture;
  }

  close() {
    this.#isOver = true;
    this.want([]);
  }

  #entry() {
    const entry = { address: null, isAsked: false };
    entry.promise = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
    // Whoever needs it hears of it; one that was only fetched ahead needs no one.
    entry.promise.catch(() => {});
    return entry;
  }

  #ask() {
    while (this.#running < this.#source.atOnce && this.#wanted.length) {
      const token = this.#wanted.shift();
      const entry = this.#found.get(token);
      entry.isAsked = true;
      this.#running += 1;
      this.#source.picture(token).then((address) => {
        entry.address = address;
        if (this.#isOver || this.#found.get(token) !== entry) this.#source.release?.(address);
        entry.resolve(address);
      }, (problem) => {
        this.#found.delete(token);
        entry.reject(problem);
      }).finally(() => {
        this.#running -= 1;
        this.#ask();
      });
    }
  }
}

// The answers that can be given, in the order in which they stand; `keys` are as events name them, `signs` are shown.
// A key means the same at every width, for a window that is made wider must not turn answers into others; only words and
// order follow where the pictures stand.
function choicesOf(study, isStacked) {
  const unsure = { value: "unsure", label: "Cannot tell", keys: ["u", "?"], signs: ["U"] };
  if (study.protocol === "scale") {
    const keys = scaleKeys(study.scale.map((step) => step.value));
    const steps = study.scale.map(({ value, label }, place) => ({
      value, number: String(value), label: label === String(value) ? "" : label, isOwn: keys[place] === String(value),
      keys: keys[place] ? [keys[place]] : [], signs: keys[place] ? [keys[place].toUpperCase()] : [],
    }));
    return [...steps, unsure];
  }
  const [first, second] = isStacked ? ["Upper is better", "Lower is better"] : ["Left is better", "Right is better"];
  const left = { value: "left", label: first, keys: ["arrowleft", "arrowup"], signs: ["←", "↑"] };
  const right = { value: "right", label: second, keys: ["arrowright", "arrowdown"], signs: ["→", "↓"] };
  const tie = { value: "tie", label: "Tie", keys: ["t"], signs: ["T"] };
  return isStacked ? [left, right, tie, unsure] : [left, tie, unsure, right];
}

// A value is its own digit. Ten is 0 where that is free, as on a keyboard, and else X, as the Romans wrote it: the keys
// beside 0 differ from country to country. Other values are counted through from 1.
function scaleKeys(values) {
  if (values.every((value) => value >= 0 && value <= 10)) {
    return values.map((value) => (value < 10 ? String(value) : values.includes(0) ? "x" : "0"));
  }
  return values.map((_, place) => (place < 9 ? String(place + 1) : place === 9 ? "0" : undefined));
}
