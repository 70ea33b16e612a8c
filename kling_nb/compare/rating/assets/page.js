// A rating on a page of its own: the pictures lie beside it, and the answers stay in the browser until they are saved.

const data = JSON.parse(document.getElementById("data").textContent);
const KIND = "kling_nb answers";
const SCHEMA = 1;
const MOST_BYTES = 50e6;
const KEY = "kling_nb answers ";

// Which of the orders a rater has: by the name alone, so that it is the same on every machine. FNV-1a, 32 bits.
function sheetOf(rater, count) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(rater)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % count;
}

// What was given last to each item.
function choices(answers) {
  const last = new Map();
  for (const answer of answers) {
    if (!(last.get(answer.item)?.answered_at > answer.answered_at)) last.set(answer.item, answer);
  }
  return Object.fromEntries([...last].map(([item, answer]) => [item, answer.choice]));
}

// Two lists as one, in the order in which they were given; an answer is known by its item and time.
function merged(...lists) {
  const all = new Map(lists.flat().map((answer) => [`${answer.item}\n${answer.answered_at}`, answer]));
  return [...all.values()].sort((a, b) => (a.answered_at < b.answered_at ? -1 : a.answered_at > b.answered_at ? 1 : 0));
}

function fileName(rater) {
  const slug = rater.toLowerCase().match(/[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu)?.join("-") ?? "";
  return `answers-${[...slug].slice(0, 40).join("") || "rater"}.json`;
}

// The browser's store, where it has one that works; private windows and some disks have none.
class Store {
  #storage = null;

  constructor() {
    try {
      localStorage.setItem(KEY, "");
      localStorage.removeItem(KEY);
      this.#storage = localStorage;
    } catch {
      // The page says so, and asks to save a file.
    }
  }

  get isThere() {
    return this.#storage !== null;
  }

  #key(rater) {
    return `${KEY}${data.page} ${rater}`;
  }

  get raters() {
    if (!this.#storage) return [];
    const names = Object.keys(this.#storage).filter((key) => key.startsWith(this.#key("")));
    return names.map((key) => key.slice(this.#key("").length)).sort();
  }

  read(rater) {
    try {
      const known = JSON.parse(this.#storage?.getItem(this.#key(rater)) ?? "[]");
      return Array.isArray(known) ? known.filter((answer) => isAnswer(answer)) : [];
    } catch {
      return [];
    }
  }

  // True when it is kept.
  write(rater, answers) {
    try {
      this.#storage.setItem(this.#key(rater), JSON.stringify(answers));
      return true;
    } catch {
      this.#storage = null;
      return false;
    }
  }
}

const itemsByToken = new Map(data.items.map((item) => [item.item, item]));

function isAnswer(answer) {
  const item = answer !== null && typeof answer === "object" && itemsByToken.get(answer.item);
  const allowed = data.study.protocol === "pairs" ? ["left", "right", "tie"] : data.study.scale.map((step) => step.value);
  return Boolean(item) && [...allowed, "unsure"].includes(answer.choice) && Number.isSafeInteger(answer.milliseconds) &&
    typeof answer.answered_at === "string" && Array.isArray(answer.pictures) &&
    String([...answer.pictures].sort()) === String([...item.pictures].sort());
}

// The content of a file of answers, checked; what is wrong with it is raised as a sentence.
function readAnswers(text) {
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    throw new Error("This is not a file of answers: it is not JSON, or only a part of it.");
  }
  if (found === null || typeof found !== "object" || found.kind !== KIND) throw new Error("This is not a file of answers.");
  if (found.schema > SCHEMA) throw new Error("This file was written by a newer version.");
  const { sha256: stated, ...rest } = found;
  if (sha256(canonical(rest)) !== stated) throw new Error("This file was changed after it was saved, and is not taken.");
  if (found.rating !== data.rating) throw new Error("This file belongs to another rating.");
  if (found.page !== data.page) throw new Error("This file belongs to another copy of this rating; use the page that it was saved from.");
  if (typeof found.rater !== "string" || !Array.isArray(found.answers) || !found.answers.every(isAnswer)) {
    throw new Error("This file has answers that this page does not ask for.");
  }
  return found;
}

// What `mount` asks, of this page.
class Page {
  atOnce = 4;
  #store = new Store();
  #rater = null;
  #answers = [];
  #isSaved = true;
  #tell = () => {};

  constructor() {
    addEventListener("beforeunload", (event) => { if (!this.#store.isThere && !this.#isSaved) event.preventDefault(); });
  }

  get words() {
    const keeping = this.#store.isThere
      ? ["Each answer is kept in this browser at once. You can stop at any time, and go on later on this page.",
        "At the end you save your answers as a file and send it to whoever asked you. Nothing is sent by itself."]
      : ["This browser keeps nothing for this page: save your answers as a file before you close it. You can go on from that file.",
        "At the end you save your answers and send the file to whoever asked you. Nothing is sent by itself."];
    return { opening: "Loading…", waiting: "Loading the pictures…", keeping, end: "Save your answers now, and send this file to whoever asked you." };
  }

  listen(tell) {
    this.#tell = tell;
  }

  async open() {
    const known = this.#store.raters.filter((name) => data.study.rater === null || name === data.study.rater);
    const raters = known.map((name) => ({ name, answered: Object.keys(choices(this.#store.read(name))).length }));
    return { study: data.study, raters: raters.filter((each) => each.answered) };
  }

  async start(rater, more = []) {
    this.#rater = rater;
    this.#answers = merged(this.#store.read(rater), more);
    if (more.length) this.#keep();
    const sheet = data.sheets[sheetOf(rater, data.sheets.length)];
    const items = sheet.map(([place, isFlipped]) => {
      const item = data.items[place];
      return isFlipped ? { ...item, pictures: [...item.pictures].reverse() } : item;
    });
    return { items, answered: choices(this.#answers) };
  }

  async read(file) {
    if (file.size > MOST_BYTES) throw new Error("This file is too large for a file of answers.");
    const { rater, answers } = readAnswers(await file.text());
    if (data.study.rater !== null && rater !== data.study.rater) throw new Error(`This file has the answers of ${rater}, and this page is for ${data.study.rater}.`);
    return { rater, ...(await this.start(rater, answers)) };
  }

  async picture(token) {
    return `${data.pictures}/${encodeURIComponent(token)}.jpg`;
  }

  answer(answer) {
    this.#answers = merged(this.#answers, [answer]);
    this.#isSaved = false;
    this.#keep();
  }

  save() {
    const content = {
      kind: KIND, schema: SCHEMA, rating: data.rating, page: data.page, rater: this.#rater,
      saved_at: new Date().toISOString(), answers: this.#answers,
    };
    const text = canonical({ ...content, sha256: sha256(canonical(content)) });
    const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    const name = fileName(this.#rater);
    make("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
    this.#isSaved = true;
    const left = data.study.count - Object.keys(choices(this.#answers)).length;
    const rest = left ? ` ${left} of ${data.study.count} are not answered yet.` : "";
    this.#tell({ text: `Saved as ${name}. Send this file to whoever asked you.${rest}` });
  }

  #keep() {
    // Another tab may have answered as the same rater.
    const isKept = this.#store.isThere && this.#store.write(this.#rater, merged(this.#store.read(this.#rater), this.#answers));
    this.#tell({ text: isKept ? "" : "This browser keeps nothing: save your answers before you close the page." });
  }
}

mount(document.getElementById("rating"), new Page());
