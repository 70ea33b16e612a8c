// A rating in a notebook: everything is asked of the kernel, in messages that leave no trace in the notebook.

const SOON = 400; // ms until something is said of an answer that is under way
const LATE = 2000;
const LATEST = 60000; // ms between two questions whether what has no answer was lost

// Answers that the kernel has not confirmed, over all forms of this page: a newer form of the same rater takes them on.
const unconfirmed = (globalThis[Symbol.for("kling_nb.rating.unconfirmed")] ??= guarded(new Map()));

// Leaving the page would lose what is in it, whether a form is still there or its output was cleared.
function guarded(answers) {
  window.addEventListener("beforeunload", (event) => {
    if (answers.size) event.preventDefault();
  });
  return answers;
}

// Questions with a number each, and their answers. The kernel answers in the order in which it was asked, so what was
// asked before something that is answered now, and is not, was lost. Where nothing else is asked, "hello" is.
class Wire {
  #model;
  #open = new Map(); // id -> { message, resolve, reject, number }
  #name = Math.random().toString(36).slice(2, 10);
  #count = 0;
  #timer = null;
  #patience = LATE;
  isCut = false;
  onTaken = () => {};

  constructor(model) {
    this.#model = model;
    model.on("msg:custom", this.#take);
  }

  ask(message) {
    return new Promise((resolve, reject) => this.#send({ message, resolve, reject }));
  }

  // Ask again what has no answer; the kernel takes nothing twice.
  again(before = Infinity) {
    const lost = [...this.#open].filter(([, question]) => question.number < before);
    for (const [id] of lost) this.#open.delete(id);
    for (const [, question] of lost) this.#send(question);
  }

  close() {
    clearTimeout(this.#timer);
    this.#model.off("msg:custom", this.#take);
  }

  #wait() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#open.size || this.isCut) return;
      this.#patience = Math.min(LATEST, 2 * this.#patience);
      this.ask({ kind: "hello" }).catch(() => {});
    }, this.#patience);
  }

  async #send(question) {
    question.number = this.#count += 1;
    const id = `${this.#name}-${question.number}`;
    this.#open.set(id, question);
    this.#wait();
    try {
      await this.#model.send({ ...question.message, id });
      this.isCut = false;
    } catch {
      this.isCut = true;
    }
  }

  #take = (message, buffers) => {
    if (message.kind === "taken over") this.onTaken();
    const question = this.#open.get(message.id);
    if (!question) return;
    this.#open.delete(message.id);
    this.isCut = false;
    this.#patience = LATE;
    if (message.kind === "reply") question.resolve({ value: message.value, buffers });
    else question.reject(new Error(message.message));
    this.again(question.number);
  };
}

const NEWER = "This rating goes on in a newer form.";

function isOlder(waiting, time) {
  return waiting.since < performance.now() - time;
}

// What `mount` asks, of a kernel.
class Kernel {
  atOnce = 2; // an answer waits for no more pictures than these
  words = {
    opening: "Waiting for the kernel…",
    waiting: "Waiting for the kernel, which has the pictures…",
    keeping: ["Each answer is kept at once. You can stop at any time and go on later: run the cell again."],
    end: "Every answer is kept.",
  };
  #model;
  #wire;
  #element;
  #rater = null;
  #items = new Set();
  #tell = () => {};
  #timers = [];
  #refusal = "";
  #isOver = false;

  constructor(model, element) {
    this.#model = model;
    this.#element = element;
    this.#wire = new Wire(model);
    this.#wire.onTaken = () => this.#takenOver();
    model.on("comm_live_update", this.#onLive);
  }

  get port() {
    return this.#element.closest(".jp-WindowedPanel-outer, .jp-Notebook");
  }

  listen(tell) {
    this.#tell = tell;
  }

  close() {
    this.#isOver = true;
    this.#wire.close();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#model.off("comm_live_update", this.#onLive);
  }

  async open() {
    const asked = this.#ask({ kind: "hello" });
    if (this.#isCut) throw new Error("There is no kernel. Start one, and run this cell again.");
    const { value } = await asked;
    if (value.taken_over) throw Object.assign(new Error(NEWER), { isNews: true });
    return { study: value.study };
  }

  async start(rater) {
    const { value } = await this.#ask({ kind: "start", rater });
    this.#rater = rater;
    this.#items = new Set(value.items.map((each) => each.item));
    for (const waiting of this.#mine()) {
      value.answered[waiting.answer.item] = waiting.answer.choice;
      this.#send(waiting);
    }
    return value;
  }

  async picture(token) {
    const { buffers } = await this.#ask({ kind: "picture", picture: token });
    return URL.createObjectURL(new Blob([buffers[0]], { type: "image/jpeg" }));
  }

  release(address) {
    if (address) URL.revokeObjectURL(address);
  }

  async reveal() {
    const { value } = await this.#ask({ kind: "reveal", rater: this.#rater, at: new Date().toISOString() });
    return value;
  }

  answer(answer) {
    const waiting = { rater: this.#rater, answer };
    unconfirmed.set(`${this.#rater}\n${answer.item}\n${answer.answered_at}`, waiting);
    this.#send(waiting);
  }

  // ---- the way there ------------------------------------------------------------------------------------------------

  get #isCut() {
    // The view has this class from ipywidgets, once its kernel has gone.
    return this.#wire.isCut || this.#element.closest(".jupyter-widgets-disconnected") !== null;
  }

  #ask(message) {
    const asked = this.#wire.ask(message);
    asked.then(() => this.#report(), () => this.#report());
    this.#report();
    return asked;
  }

  async #send(waiting) {
    waiting.since = performance.now();
    waiting.isRefused = false;
    this.#timers = [...this.#timers.slice(-20), ...[SOON, LATE].map((time) => setTimeout(() => this.#report(), time + 20))];
    try {
      await this.#ask({ kind: "answer", rater: waiting.rater, answer: waiting.answer });
      for (const [key, each] of unconfirmed) if (each === waiting) unconfirmed.delete(key);
    } catch (problem) {
      waiting.isRefused = true;
      this.#refusal = problem.message;
    }
    this.#report();
  }

  #mine() {
    return [...unconfirmed.values()].filter(({ rater, answer }) => rater === this.#rater && this.#items.has(answer.item));
  }

  #again = () => {
    this.#wire.again();
    for (const waiting of this.#mine()) {
      if (waiting.isRefused) this.#send(waiting);
      else waiting.since = performance.now();
    }
    this.#report();
  };

  #report() {
    if (this.#isOver) return;
    const mine = this.#mine();
    const waiting = mine.length;
    const answers = plural(waiting, "answer");
    const [are, they] = waiting === 1 ? ["is", "It is"] : ["are", "They are"];
    const news = { text: "", waiting };
    if (mine.some((each) => each.isRefused)) {
      Object.assign(news, { text: `${this.#refusal} ${answers} ${are} kept on this page.`, again: this.#again });
    } else if (this.#isCut && waiting) {
      const text = `There is no kernel: ${answers} ${are} kept on this page. ${they} sent when the cell has been run again.`;
      Object.assign(news, { text, again: this.#again });
    } else if (this.#isCut) {
      news.text = this.#rater === null ? "There is no kernel." : "There is no kernel. Your answers are kept; run the cell again to go on.";
    } else if (mine.some((each) => isOlder(each, LATE))) {
      news.text = `The kernel is busy: ${answers} ${waiting === 1 ? "waits" : "wait"}.`;
    } else if (mine.some((each) => isOlder(each, SOON))) {
      news.text = "Saving…";
    }
    this.#tell(news);
  }

  #takenOver() {
    this.#isOver = true;
    this.#tell({ end: true, text: NEWER });
  }

  #onLive = () => {
    // ipywidgets changes the class in its own listener, which need not have been called yet.
    queueMicrotask(() => {
      if (!this.#isCut) this.#again();
      this.#report();
    });
  };
}

export default {
  render({ model, el }) {
    const root = make("div");
    el.append(root);
    return mount(root, new Kernel(model, el));
  },
};
