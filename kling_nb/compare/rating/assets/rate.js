// The rating itself: the same in a notebook and on a page, which differ in their source.
//
// A source has: `open()` -> { study, raters }, `start(rater)` -> { items, answered, revealed }, `picture(token)` -> an address,
// `release(address)`, `atOnce`, `answer(answer)`, which keeps it whatever happens, `listen(tell)` for news, `words`, and
// where there is such a thing `port`, the element that it is scrolled in, `reveal()`, `save()` and `read(file)`. It knows
// no more of an item than is shown of it.

const GUARD = 150; // ms in which nobody can have judged what has just come
const DOUBLE = 400; // ms in which a second click belongs to the first
const PATIENCE = 250; // ms without pictures until something is said of it
const AHEAD = 8; // items whose pictures are fetched before they are needed: a kernel may be busy for long
const DECODED = 2;
const NARROW = 600; // px, as in the style

// JupyterLab takes single letters for commands on cells: it does not where this attribute is. It must be on what has the
// focus, which is matched before what is around it; and it is looked for in the capture phase, so that only the window
// comes first. With Ctrl it may have its keys.
function keepKey(event) {
  if (event.target instanceof Element && event.target.closest(".kling-rate")) {
    event.target.toggleAttribute("data-lm-suppress-shortcuts", !(event.ctrlKey || event.metaKey || event.altKey));
  }
}

// Show a rating in an element; returns what takes it away again.
function mount(root, source) {
  const rating = new Rating(root, source);
  window.addEventListener("keydown", keepKey, true);
  rating.open();
  return () => {
    window.removeEventListener("keydown", keepKey, true);
    rating.close();
  };
}

class Rating {
  #root;
  #source;
  #study;
  #rater = "";
  #items = [];
  #answered = new Map(); // token of an item -> choice
  #leftOut = new Set();
  #at = -1;
  #shown = null; // the item that can be answered, null while there is none
  #shownAt = 0;
  #pressedOn = null;
  #width = 0;
  #isStacked = false;
  #isRevealed = false;
  #view = null;
  #watch = new Stopwatch();
  #pictures;
  #ready = new Map(); // place of an item -> promise of its elements
  #timers = new Set();
  #news = { text: "" };
  #room;
  #size = new ResizeObserver((changes) => this.#resized(changes));
  #status = make("p", { class: "kr-unseen", role: "status" });
  #body = make("div", { class: "kr-body" });

  constructor(root, source) {
    this.#root = root;
    this.#source = source;
    this.#pictures = new Pictures(source);
    this.#room = new Room(root, source);
    root.classList.add("kling-rate");
    root.append(this.#body, this.#status);
    root.addEventListener("keydown", this.#onKey);
    source.listen((news) => this.#hear(news));
    this.#size.observe(root);
  }

  close() {
    this.#root.removeEventListener("keydown", this.#onKey);
    this.#size.disconnect();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#watch.stop();
    this.#pictures.close();
    this.#source.close?.();
    this.#root.replaceChildren();
  }

  async open() {
    const timer = this.#later(400, () => this.#screen(messageScreen(this.#source.words.opening)));
    try {
      const { study, raters = [] } = await this.#source.open();
      this.#study = study;
      this.#screen(startScreen(this.#source, study, raters, this.#isStacked, (rater) => this.#start(rater), (file) => this.#read(file)));
    } catch (problem) {
      this.#screen(messageScreen(problem.message, !problem.isNews));
    } finally {
      clearTimeout(timer);
    }
  }

  // ---- which item ---------------------------------------------------------------------------------------------------

  async #start(rater) {
    this.#begin(rater, await this.#source.start(rater));
  }

  async #read(file) {
    const { rater, ...begun } = await this.#source.read(file);
    this.#begin(rater, begun);
  }

  #begin(rater, { items, answered, revealed = false }) {
    this.#rater = rater;
    this.#isRevealed = revealed;
    this.#items = items;
    this.#answered = new Map(Object.entries(answered));
    this.#view = ratingScreen(this.#study, {
      choose: (choice, event) => this.#choose(choice, event),
      press: () => { this.#pressedOn = this.#shown; },
      back: () => this.#back(),
      keep: () => this.#next(),
      enlarge: (picture, name) => this.#view.enlarge(picture, name),
      fill: document.fullscreenEnabled ? () => this.#fill() : null,
      save: this.#source.save ? () => this.#source.save() : null,
    });
    this.#body.replaceChildren(this.#view.element);
    this.#name();
    if (this.#source.port) this.#size.observe(this.#source.port);
    this.#hear(this.#news);
    const open = this.#open(-1);
    if (open < 0 || revealed) this.#end();
    else this.#show(open);
    this.#view.stage.focus({ preventScroll: true });
  }

  // The first item after a place that has no answer, from the beginning again when there is none; -1 when all have one.
  #open(place) {
    const isOpen = ({ item }) => !this.#answered.has(item) && !this.#leftOut.has(item);
    const after = this.#items.findIndex((each, number) => number > place && isOpen(each));
    return after < 0 ? this.#items.findIndex(isOpen) : after;
  }

  #next() {
    const next = this.#open(this.#at);
    if (next < 0) this.#end();
    else this.#show(next);
  }

  #back() {
    if (this.#isRevealed) return;
    if (this.#at > 0) this.#show(this.#at - 1);
    else this.#say("This is the first.");
  }

  async #show(place) {
    const wasEnded = this.#view.element.parentNode !== this.#body;
    if (wasEnded) {
      this.#body.replaceChildren(this.#view.element);
      // It has heard nothing while it was away.
      this.#hear(this.#news);
      this.#view.stage.focus({ preventScroll: true });
    }
    this.#at = place;
    this.#shown = null;
    this.#watch.stop();
    this.#root.setAttribute("aria-busy", "true");
    this.#want(place);
    const timer = this.#later(PATIENCE, () => this.#view.wait(this.#source.words.waiting));
    let parts;
    try {
      parts = await this.#prepare(place);
    } catch (problem) {
      if (this.#at === place) this.#fail(place, problem);
      return;
    } finally {
      clearTimeout(timer);
    }
    if (this.#at !== place || !this.#root.isConnected) return;
    this.#paint(place, parts);
  }

  // Both pictures are decoded, so they are painted in one and the same frame.
  #paint(place, { pictures, references }) {
    const item = this.#items[place];
    const previous = this.#answered.get(item.item);
    const focused = this.#root.contains(document.activeElement) ? document.activeElement : null;
    this.#view.show(item, pictures, references);
    this.#view.keeping(previous !== undefined);
    this.#view.progress(place + 1, this.#items.length, this.#answered.size);
    this.#name(previous);
    // Keys that nobody has the focus for would go to the notebook.
    if (focused && !(this.#root.contains(focused) && focused.checkVisibility())) this.#view.stage.focus({ preventScroll: true });
    // Only now has the form its height; whoever writes elsewhere meanwhile is left there.
    if (this.#room.fit(this.#view.stage) && this.#root.contains(document.activeElement)) this.#view.reveal();
    this.#say(`${place + 1} of ${this.#items.length}${previous === undefined ? "" : ", answered before"}`);
    requestAnimationFrame(() => {
      if (this.#at !== place || this.#shown) return;
      this.#shown = item;
      this.#shownAt = performance.now();
      this.#watch.start();
      this.#later(GUARD, () => { if (this.#shown === item) this.#root.removeAttribute("aria-busy"); });
      for (let ahead = 1; ahead <= DECODED; ahead += 1) this.#prepare(place + ahead)?.catch(() => {});
    });
  }

  #fail(place, problem) {
    this.#ready.delete(place);
    const wasInside = this.#root.contains(document.activeElement);
    this.#view.wait(`This could not be shown: ${problem.message || "a picture is missing"}`, [
      ["Try again", () => this.#show(place)],
      ["Leave it out for now", () => { this.#leftOut.add(this.#items[place].item); this.#next(); }],
    ]);
    if (wasInside) this.#view.stage.querySelector("button").focus({ preventScroll: true });
  }

  // Ask for the pictures of an item and of those after it; the one before stays, for going back.
  #want(place) {
    const near = [place, ...Array.from({ length: AHEAD }, (_, step) => place + step + 1), place - 1];
    const items = near.map((each) => this.#items[each]).filter(Boolean);
    const tokens = items.flatMap((item) => [...item.pictures, ...item.references.map((each) => each.picture)]);
    this.#pictures.want([...new Set(tokens.filter(Boolean))]);
    for (const each of this.#ready.keys()) if (!near.includes(each)) this.#ready.delete(each);
  }

  #prepare(place) {
    const item = this.#items[place];
    if (!item) return null;
    if (!this.#ready.has(place)) {
      const found = Promise.all([
        Promise.all(item.pictures.map((token) => this.#pictures.element(token))),
        // A reference that is lost is said in its place, and keeps nobody from judging.
        Promise.all(item.references.map(({ picture, name }) =>
          (picture ? this.#pictures.element(picture).catch(() => null) : null))),
      ]).then(([pictures, references]) => ({ pictures, references }));
      this.#ready.set(place, found);
      found.catch(() => { if (this.#ready.get(place) === found) this.#ready.delete(place); });
    }
    return this.#ready.get(place);
  }

  // ---- answers ------------------------------------------------------------------------------------------------------

  #choose(choice, event = null) {
    const item = this.#shown;
    const since = performance.now() - this.#shownAt;
    if (!item || since < GUARD) return;
    // A click is for what was there when the button went down, and the second of a double click is none.
    if (event && event.detail > 0 && (this.#pressedOn !== item || (event.detail > 1 && since < DOUBLE))) return;
    const milliseconds = this.#watch.milliseconds;
    this.#shown = null;
    this.#view.taken(choice);
    this.#later(180, () => this.#view.taken(null));
    if (this.#answered.get(item.item) !== choice) {
      this.#answered.set(item.item, choice);
      const answered_at = new Date().toISOString();
      this.#source.answer({ item: item.item, pictures: item.pictures, choice, milliseconds, answered_at });
    }
    this.#next();
  }

  #end() {
    this.#at = this.#items.length;
    this.#shown = null;
    this.#watch.stop();
    this.#root.removeAttribute("aria-busy");
    if (document.fullscreenElement === this.#root) document.exitFullscreen().catch(() => {});
    const rater = this.#isRevealed ? this.#rater : null;
    this.#screen(endScreen(this.#source, this.#answered.size, this.#items.length, rater, {
      back: () => this.#back(),
      again: () => { this.#leftOut.clear(); this.#next(); },
      reveal: async () => {
        const html = await this.#source.reveal();
        this.#isRevealed = true;
        // Whoever went back while it was on its way.
        if (this.#at < this.#items.length) this.#end();
        return html;
      },
    }));
    this.#hear(this.#news);
    this.#say(`${this.#answered.size} of ${this.#items.length} are answered.`);
  }

  // ---- the rest -----------------------------------------------------------------------------------------------------

  #hear(news) {
    this.#news = news;
    if (news.end) {
      this.#at = -1;
      this.#shown = null;
      this.#watch.stop();
      this.#root.removeAttribute("aria-busy");
      this.#say("");
      this.#screen(messageScreen(news.text));
      return;
    }
    for (const each of this.#body.querySelectorAll(".kr-settled")) each.disabled = Boolean(news.waiting);
    for (const place of this.#body.querySelectorAll(".kr-news")) {
      // The same button as long as there is one: a press ends on what it began on.
      const offered = news.again && place.querySelector("button");
      const hadFocus = place.contains(document.activeElement);
      if (offered) place.firstChild.data = news.text;
      else place.replaceChildren(...[news.text, news.again && button("Send again", () => this.#news.again?.())].filter(Boolean));
      place.classList.toggle("kr-problem", Boolean(news.again));
      if (hadFocus && !offered) this.#focus(this.#body.firstElementChild);
    }
  }

  #onKey = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    // What is above must not take it for a command of its own.
    event.stopPropagation();
    const key = event.key.toLowerCase();
    const onButton = event.target.closest("button, input, label, summary");
    if (onButton && (key === "enter" || key === " ")) {
      if (event.repeat) event.preventDefault();
      return;
    }
    if (event.target.matches("input, textarea") || !this.#view || this.#view.isEnlarged) return;
    const isRating = this.#view.element.parentNode === this.#body;
    if (isRating ? this.#press(key, event) : key === "backspace" && !event.repeat && this.#at > 0 && (this.#back(), true)) {
      event.preventDefault();
    }
  };

  // Do what a key is for; true when it is for something.
  #press(key, event) {
    if (event.shiftKey && this.#view.move(key)) return true;
    const choice = choicesOf(this.#study, this.#isStacked).find((each) => each.keys.includes(key));
    const does = choice ? () => this.#choose(choice.value) : {
      backspace: () => this.#back(),
      enter: () => { if (this.#shown && this.#answered.has(this.#shown.item)) this.#next(); },
      z: () => {
        const reference = event.target.closest(".kr-reference");
        if (reference) reference.click();
        else this.#view.zoom();
      },
      escape: () => this.#view.fit(),
      // It would scroll the pictures out of sight; a long prompt it may scroll to its end.
      " ": canScroll(event) ? null : () => {},
      f: () => document.fullscreenEnabled && this.#fill(),
    }[key];
    if (!does) return false;
    // A key that is held down says nothing new.
    if (!event.repeat) does();
    return true;
  }

  async #fill() {
    try {
      await (document.fullscreenElement ? document.exitFullscreen() : this.#root.requestFullscreen());
    } catch {
      this.#say("The browser does not allow full screen here.");
    }
  }

  #resized(changes) {
    for (const { target, contentRect } of changes) {
      if (target === this.#root && contentRect.width === this.#width) continue;
      if (target === this.#root) this.#fit(contentRect.width);
      // Not at once: an observer that changes what it observes is called again.
      this.#later(0, () => this.#view && this.#room.fit(this.#view.stage));
    }
  }

  // As the style does, by the width of what is inside.
  #fit(width) {
    this.#width = width;
    this.#room.forget();
    const isStacked = width <= NARROW;
    if (isStacked === this.#isStacked) return;
    this.#isStacked = isStacked;
    this.#body.querySelector(".kr-keys")?.replaceWith(keyList(this.#study, isStacked));
    if (this.#view) this.#name(this.#answered.get(this.#shown?.item));
  }

  // Name the answers and the pictures after where these stand.
  #name(previous) {
    const sides = this.#isStacked ? ["Upper picture", "Lower picture"] : ["Left picture", "Right picture"];
    this.#view.choices(choicesOf(this.#study, this.#isStacked), previous);
    this.#view.sides(this.#study.protocol === "pairs" ? sides : ["The picture"]);
  }

  #screen(element) {
    this.#body.replaceChildren(element);
    // Not where it would take the focus away from a cell that someone writes in.
    if (this.#root.contains(document.activeElement) || this.#view) this.#focus(element);
  }

  // Where keys are heard: on what is there to be pressed, else on the screen itself.
  #focus(screen) {
    (screen.querySelector(".kr-stage, [data-focus]:enabled") ?? screen).focus({ preventScroll: true });
  }

  #say(text) {
    this.#status.textContent = text;
  }

  #later(milliseconds, act) {
    const timer = setTimeout(() => { this.#timers.delete(timer); act(); }, milliseconds);
    this.#timers.add(timer);
    return timer;
  }
}
