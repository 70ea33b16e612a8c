// The screens: each is made from what it shows, and calls back.

function button(label, click, properties = {}) {
  return make("button", { type: "button", onclick: click, ...properties }, ...(Array.isArray(label) ? label : [label]));
}

// A screen with a text alone.
function messageScreen(text, isProblem = false) {
  return make("div", { class: "kr-card", tabindex: "-1" },
    make("p", { class: isProblem ? "kr-problem" : "kr-soft", role: isProblem ? "alert" : "status" }, text),
    make("div", { class: "kr-news", role: "status" }));
}

// Do something that may take its time or fail: once at a time, with what went wrong beside it.
function trying(problem, act) {
  let isBusy = false;
  return async (...given) => {
    if (isBusy) return;
    isBusy = true;
    problem.textContent = "";
    try {
      await act(...given);
    } catch (error) {
      problem.textContent = error.message;
    } finally {
      isBusy = false;
    }
  };
}

function keyList(study, isStacked) {
  const known = choicesOf(study, isStacked);
  let rows = known.map((choice) => [choice.signs, choice.label]);
  if (study.protocol === "scale") {
    // A value with its own digit explains itself.
    const own = known.filter((choice) => choice.isOwn).flatMap((choice) => choice.signs);
    const others = known.filter((choice) => !choice.isOwn && choice.signs.length);
    const digits = own.length ? [[own.length > 1 ? [own[0], "–", own.at(-1)] : own, "The values"]] : [];
    rows = [...digits, ...others.map((choice) => [choice.signs, String(choice.value === "unsure" ? choice.label : choice.value)])];
  }
  rows.push([["⌫"], "Back to the one before"], [["Z"], "Full size, and back"]);
  return make("dl", { class: "kr-keys", "aria-label": "Keys" }, ...rows.map(([signs, label]) => make("div", {},
    make("dt", {}, ...signs.map((sign) => (sign === "–" ? sign : make("kbd", {}, sign)))), make("dd", {}, label))));
}

const goingOn = (answered, count) =>
  (answered < count ? `${answered} of ${count} are answered; it goes on with the rest.` : `All ${count} are answered.`);

function startScreen(source, study, raters, isStacked, start, read) {
  const isPairs = study.protocol === "pairs";
  const problem = make("p", { class: "kr-problem", role: "alert" });
  const name = make("input", { type: "text", class: "kr-rater", maxlength: "100", autocomplete: "off", spellcheck: "false" });
  const facts = [
    isPairs ? `${plural(study.count, "pair")} of pictures, one after another.` : `${plural(study.count, "picture")}, one after another.`,
    isPairs ? "If you see no difference that matters, it is a tie. You can also say that you cannot tell." : "You can also say that you cannot tell.",
    ...source.words.keeping,
  ];
  const go = trying(problem, async () => {
    const rater = (study.rater ?? (name.value.toWellFormed?.() ?? name.value).normalize("NFC").trim());
    if (!rater) {
      name.focus();
      throw new Error("Please give your name or a code: answers are kept under it.");
    }
    await start(rater);
  });
  const file = make("input", { type: "file", accept: ".json,application/json", class: "kr-unseen" });
  const readIt = trying(problem, async () => {
    const [chosen] = file.files;
    file.value = "";
    if (chosen) await read(chosen);
  });
  file.addEventListener("change", readIt);
  const again = raters.map(({ name: known, answered }) => make("div", { class: "kr-again" },
    make("p", {}, `${known} has answered ${answered} of ${study.count}.`),
    make("div", { class: "kr-row" }, button(`Go on as ${known}`, trying(problem, () => start(known)), { class: "kr-main" }))));
  return make("form", { class: "kr-card", tabindex: "-1", novalidate: true, onsubmit: (event) => { event.preventDefault(); go(); } },
    make("p", { class: "kr-over" }, study.name),
    make("h2", {}, study.question),
    make("ul", { class: "kr-facts" }, ...facts.map((fact) => make("li", {}, fact))),
    keyList(study, isStacked),
    ...again,
    study.answered > 0 && make("p", { class: "kr-done" }, goingOn(study.answered, study.count)),
    study.rater === null && make("label", { class: "kr-name" }, make("span", {}, "Your name or code"), name),
    make("div", { class: "kr-row" },
      make("button", { type: "submit", class: again.length ? "" : "kr-main", "data-focus": true }, study.rater === null ? "Start" : `Start as ${study.rater}`),
      source.read && make("label", { class: "kr-file" }, file, "Go on from a file")),
    problem,
    make("div", { class: "kr-news", role: "status" }));
}

// `knowing` is the rater who has seen the result before, else null.
function endScreen(source, answered, count, knowing, on) {
  const isAll = answered === count;
  const problem = make("p", { class: "kr-problem", role: "alert" });
  const result = make("div", { class: "kr-result", tabindex: "-1" });
  const back = button(["Change the last answer"], on.back, { class: "kr-quiet" });
  const reveal = button("Show the result", trying(problem, async () => {
    result.innerHTML = await on.reveal();
    reveal.hidden = back.hidden = true;
    result.focus({ preventScroll: true });
  }), { class: "kr-main kr-settled", "data-focus": true });
  if (knowing !== null) {
    return make("div", { class: "kr-card", tabindex: "-1" },
      make("p", { class: "kr-over" }, "This rating is over."),
      make("h2", {}, "Thank you!"),
      make("p", {}, `${knowing} has seen the result; answers are no longer taken.`),
      make("div", { class: "kr-row" }, reveal),
      problem, result,
      make("div", { class: "kr-news", role: "status" }));
  }
  return make("div", { class: "kr-card", tabindex: "-1" },
    make("p", { class: "kr-over" }, isAll ? "That was the last." : "Not all could be shown."),
    make("h2", {}, isAll ? "Thank you!" : `${answered} of ${count} are answered`),
    make("p", {}, isAll ? `All ${count} are answered. ${source.words.end}` : `${plural(count - answered, "picture", "pictures")} could not be shown and ${count - answered === 1 ? "was" : "were"} left out. ${source.words.end}`),
    make("div", { class: "kr-row" },
      source.save && button("Save answers", () => source.save(), { class: "kr-main", "data-focus": true }),
      source.reveal && isAll && reveal,
      !isAll && button("Try them again", on.again),
      back),
    problem, result,
    make("div", { class: "kr-news", role: "status" }));
}

// The screen on which is rated; it stays over all items, for nothing to move and no focus to be lost.
function ratingScreen(study, on) {
  const isPairs = study.protocol === "pairs";
  const count = make("span", {});
  const bar = make("span", {});
  const before = make("span", { class: "kr-before" });
  const prompt = make("blockquote", { class: "kr-prompt", tabindex: "0" });
  const references = make("div", { class: "kr-references", role: "group", "aria-label": "Reference pictures" });
  const given = make("div", { class: "kr-given" }, prompt, references);
  const stage = make("div", {
    class: isPairs ? "kr-stage" : "kr-stage kr-one", tabindex: "0", role: "group",
    "aria-label": "Pictures. Their keys stand on the buttons below; Z shows them in full size.",
  });
  const choices = make("div", { class: isPairs ? "kr-choices" : "kr-choices kr-steps", role: "group", "aria-label": "Your answer" });
  const lens = new Lens(stage);
  const dialog = make("dialog", { class: "kr-large" });
  const tool = (label, sign, click) => button([label, " ", make("kbd", { "aria-hidden": "true" }, sign)], click, { class: "kr-quiet" });
  const back = tool("Back", "⌫", on.back);
  const keep = tool("Keep this answer", "Enter", on.keep);
  choices.addEventListener("pointerdown", on.press);
  dialog.addEventListener("click", () => dialog.close());
  dialog.addEventListener("keydown", (event) => { if (event.key.toLowerCase() === "z") dialog.close(); });
  const element = make("section", { class: "kr-rating", "aria-label": study.name },
    make("div", { class: "kr-top" }, make("h2", {}, study.question),
      make("div", { class: "kr-progress" }, count, make("span", { class: "kr-bar", "aria-hidden": "true" }, bar))),
    given, stage, choices,
    make("div", { class: "kr-foot" }, back, keep, tool("Full size", "Z", () => lens.toggle()),
      on.fill && tool("Full screen", "F", on.fill),
      on.save && button("Save answers", on.save, { class: "kr-quiet" }),
      before,
      make("div", { class: "kr-news", role: "status" })),
    dialog);
  let buttons = new Map();
  let names = "";
  let isFirst = true;

  return {
    element, stage,
    get isEnlarged() { return dialog.open; },
    zoom: () => lens.toggle(),
    fit: () => lens.fit(),
    // All of it, or the answers with as much of the pictures as there is room for.
    reveal() { for (const each of [element, choices]) each.scrollIntoView({ block: "nearest" }); },
    move: (key) => lens.move(key),
    progress(place, all, done) {
      count.textContent = `${place} of ${all}`;
      // Of a rater whose name was typed nobody could say it before.
      before.textContent = isFirst && done > 0 && done < all ? goingOn(done, all) : "";
      isFirst = false;
      bar.style.setProperty("--done", `${(100 * done) / all}%`);
    },
    keeping(isAnswered) { keep.hidden = !isAnswered; },
    show(item, pictures, shownReferences) {
      lens.fit();
      stage.replaceChildren(...pictures.map((picture) => make("figure", { class: "kr-pane" }, picture)));
      stage.dataset.item = item.item;
      prompt.hidden = item.prompt === null;
      if (item.prompt !== null) prompt.replaceChildren(make("span", {}, "Prompt"), item.prompt);
      prompt.scrollTop = 0;
      references.replaceChildren(...item.references.map(({ name }, place) => referenceButton(name, shownReferences[place], on.enlarge)));
      references.hidden = !item.references.length;
      given.hidden = prompt.hidden && references.hidden;
    },
    wait(text, actions = []) {
      lens.fit();
      stage.replaceChildren(make("div", { class: "kr-wait", role: "status" }, text,
        actions.length && make("div", { class: "kr-row" }, ...actions.map(([label, act]) => button(label, act)))));
    },
    // What they are called, as they stand now.
    sides(names) {
      stage.querySelectorAll("img").forEach((picture, place) => { picture.alt = names[place]; });
    },
    choices(known, previous) {
      const now = known.map((choice) => choice.label).join();
      // The buttons stay while they are the same: one that has the focus keeps it.
      if (now !== names) {
        names = now;
        buttons = new Map(known.map((choice) => [choice.value, button([
          choice.signs.length > 0 && !choice.isOwn && make("span", { class: "kr-signs", "aria-hidden": "true" },
            ...choice.signs.map((sign) => make("kbd", {}, sign))),
          choice.number && make("span", { class: "kr-number" }, choice.number), choice.number && " ",
          choice.label && make("span", { class: choice.number ? "kr-word" : "" }, choice.label),
        ], (event) => on.choose(choice.value, event), { "data-choice": String(choice.value), "aria-keyshortcuts": choice.keys.join(" ") || null })]));
        choices.replaceChildren(...buttons.values());
      }
      for (const [value, each] of buttons) each.setAttribute("aria-pressed", String(value === previous));
    },
    taken(choice) {
      for (const [value, each] of buttons) each.classList.toggle("kr-taken", value === choice && !isCalm());
    },
    enlarge(picture, name) {
      dialog.setAttribute("aria-label", name);
      dialog.replaceChildren(make("div", { class: "kr-row" }, make("span", {}, name), button("Close", () => {}, { autofocus: true })),
        make("img", { src: picture.src, alt: name }));
      dialog.showModal();
    },
  };
}

function referenceButton(name, picture, enlarge) {
  if (!picture) {
    return make("div", { class: "kr-reference", title: `${name}: no picture` }, make("div", { class: "kr-blank" }), make("span", {}, name));
  }
  picture.alt = "";
  return button([picture, make("span", {}, name)], () => enlarge(picture, name), { class: "kr-reference", title: `${name}: larger`, "aria-label": `${name}: larger` });
}

// Full size for all pictures of a stage at once, around one place in all of them.
class Lens {
  #stage;
  #at = [0.5, 0.5];
  #isOn = false;
  #dragged = 0;

  constructor(stage) {
    this.#stage = stage;
    stage.addEventListener("click", (event) => {
      const pane = event.target.closest(".kr-pane");
      const wasDragged = this.#dragged > 8;
      this.#dragged = 0;
      if (!pane || wasDragged) return;
      this.#point(pane, event);
      this.toggle();
    });
    stage.addEventListener("pointermove", (event) => {
      const pane = event.target.closest(".kr-pane");
      if (!this.#isOn || !pane) return;
      if (event.pointerType === "mouse") {
        this.#point(pane, event);
      } else {
        const box = pane.getBoundingClientRect();
        this.#dragged += Math.abs(event.movementX) + Math.abs(event.movementY);
        this.#to(this.#at[0] - event.movementX / box.width, this.#at[1] - event.movementY / box.height);
      }
    });
  }

  toggle() {
    if (this.#isOn) {
      this.fit();
      return;
    }
    const factors = [...this.#stage.querySelectorAll("img")].map((picture) =>
      Math.max(picture.naturalWidth / picture.clientWidth, picture.naturalHeight / picture.clientHeight));
    if (!factors.length) return;
    this.#isOn = true;
    this.#stage.classList.add("kr-zoomed");
    // At least so much that it is a difference, also where the pictures are small.
    this.#stage.style.setProperty("--zoom", Math.min(8, Math.max(2, ...factors)));
    this.#to(...this.#at);
  }

  fit() {
    this.#isOn = false;
    this.#at = [0.5, 0.5];
    this.#stage.classList.remove("kr-zoomed");
    this.#stage.style.setProperty("--zoom", 1);
  }

  move(key) {
    const [x, y] = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] }[key] ?? [0, 0];
    if (!this.#isOn || !(x || y)) return false;
    this.#to(this.#at[0] + x / 8, this.#at[1] + y / 8);
    return true;
  }

  #point(pane, event) {
    const box = pane.getBoundingClientRect();
    this.#to((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }

  #to(x, y) {
    this.#at = [x, y].map((value) => Math.min(1, Math.max(0, value)));
    this.#stage.style.setProperty("--at-x", `${this.#at[0] * 100}%`);
    this.#stage.style.setProperty("--at-y", `${this.#at[1] * 100}%`);
  }
}
