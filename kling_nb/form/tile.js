// The picture of one slot: takes drops, pastes and chosen files, and shows the thumbnail.
//
// A message to the kernel may not exceed 10 MB, and a larger one ends the connection without a word. So a file
// travels in chunks, each sent when the one before it was acknowledged. Thumbnails come as messages and are no
// part of the widget's state, which a notebook may store.

const CHUNK = 1024 * 1024;
const PATIENCE = 60000;
const OWN = "application/x-kling-slot";

// JupyterLab takes single letters for commands on cells: "d d" on a button of the form would delete its cell. It does
// not where this attribute is; it looks for it in the capture phase in Notebook 7, so that only the window comes first.
function keepKey(event) {
  if (event.target instanceof Element && event.target.closest(".kling-form")) {
    const isShortcut = event.ctrlKey || event.metaKey || event.altKey;
    event.target.toggleAttribute("data-lm-suppress-shortcuts", !isShortcut);
  }
}

function render({ model, el }) {
  const tile = document.createElement("div");
  tile.className = "kling-tile-face";
  tile.tabIndex = 0;
  tile.setAttribute("role", "button");
  const input = document.createElement("input");
  input.type = "file";
  input.accept = "image/*,.heic,.avif";
  input.hidden = true;
  const picture = document.createElement("img");
  picture.hidden = true;
  const hint = document.createElement("span");
  hint.className = "kling-tile-hint";
  const news = document.createElement("span");
  news.className = "kling-tile-news";
  news.setAttribute("role", "status");
  tile.append(picture, hint, news);
  el.append(tile, input);

  const sent = new Map();
  let queue = Promise.resolve();
  let shown = null;
  let gone = false;

  const label = () => {
    const title = model.get("title");
    const filled = model.get("filled");
    input.multiple = model.get("several");
    tile.setAttribute("aria-label", `${title}: ${filled || "empty"}. Drop or paste a picture, or press Enter to choose one.`);
    tile.title = `${title}: drop, paste (Ctrl+V) or click`;
    picture.alt = `${title}: ${filled}`;
    hint.textContent = shown ? "" : filled || "Drop, paste or click";
    tile.classList.toggle("kling-tile-filled", Boolean(filled));
  };

  const say = (text) => { news.textContent = text; };

  const show = (buffer) => {
    if (shown) URL.revokeObjectURL(shown);
    shown = buffer ? URL.createObjectURL(new Blob([buffer], { type: "image/jpeg" })) : null;
    picture.hidden = !shown;
    if (shown) picture.src = shown; else picture.removeAttribute("src");
    label();
  };

  const answer = (id, step) => new Promise((resolve, reject) => {
    const timer = setTimeout(() => { sent.delete(id); reject(new Error("The kernel does not answer. It may be busy or gone: run the cell again, or give a path.")); }, PATIENCE);
    sent.set(id, { step, resolve, reject, timer });
  });

  const transfer = async (file, number, count) => {
    const id = `${Date.now()}-${Math.random().toString(36).slice(2)}`;
    const most = model.get("most_bytes");
    if (file.size > most) {
      say(`${file.name} has ${(file.size / 1e6).toFixed(0)} MB; at most ${(most / 1e6).toFixed(0)} MB can be dropped. Give its path.`);
      return;
    }
    const steps = Math.max(1, Math.ceil(file.size / CHUNK));
    try {
      for (let step = 0; step < steps && !gone; step += 1) {
        const bytes = await file.slice(step * CHUNK, (step + 1) * CHUNK).arrayBuffer();
        say(`${Math.round((100 * step) / steps)} %`);
        const reply = answer(id, step);
        model.send({ kind: "chunk", id, step, steps, name: file.name || "pasted.png", size: file.size, number, count }, undefined, [bytes]);
        await reply;
      }
      say("");
    } catch (problem) {
      say(problem.message === "Cannot send" ? "There is no kernel. Start one, and run this cell again." : String(problem.message || problem));
    }
  };

  const tell = (message) => {
    try {
      model.send(message);
    } catch {
      say("There is no kernel. Start one, and run this cell again.");
    }
  };

  const take = (files) => {
    const chosen = Array.from(files);
    chosen.forEach((file, number) => {
      queue = queue.then(() => transfer(file, number, chosen.length));
    });
  };

  const takeDropped = (data) => {
    const from = data.getData(OWN);
    if (from) {
      tell({ kind: "moved", from });
      return;
    }
    const text = (data.getData("text/uri-list") || data.getData("text/plain") || "").trim().split(/\r?\n/)[0] || "";
    if (/^https?:/i.test(text) && !text.startsWith(window.location.origin)) {
      tell({ kind: "text", text });
    } else if (data.files.length && !text) {
      take(data.files);
    } else if (text) {
      say("That is a picture of this page. Use the buttons below a result, or drop a file.");
    }
  };

  const onMessage = (message, buffers) => {
    if (message.kind === "thumbnail") {
      show(buffers && buffers.length ? buffers[0] : null);
    } else if (message.kind === "ack" || message.kind === "refused") {
      const waiting = sent.get(message.id);
      if (!waiting || (message.kind === "ack" && waiting.step !== message.step)) return;
      sent.delete(message.id);
      clearTimeout(waiting.timer);
      if (message.kind === "ack") waiting.resolve(); else waiting.reject(new Error(message.message));
    }
  };

  const stop = (event) => { event.preventDefault(); event.stopPropagation(); };
  tile.addEventListener("dragover", (event) => { stop(event); tile.classList.add("kling-tile-over"); });
  tile.addEventListener("dragenter", (event) => { stop(event); tile.classList.add("kling-tile-over"); });
  tile.addEventListener("dragleave", () => tile.classList.remove("kling-tile-over"));
  tile.addEventListener("drop", (event) => {
    stop(event);
    tile.classList.remove("kling-tile-over");
    takeDropped(event.dataTransfer);
  });
  const paste = (event) => {
    stop(event);
    const files = event.clipboardData.files;
    const text = event.clipboardData.getData("text/plain").trim();
    if (files.length) take(files);
    else if (text) tell({ kind: "text", text });
    else say("The clipboard holds no picture.");
  };
  tile.addEventListener("paste", paste);
  // The tile under the pointer is marked, so it is the one that is meant; what is typed into goes first.
  const pasteHere = (event) => {
    const at = document.activeElement;
    const isTyping = at && (at.matches("input, textarea, select") || at.isContentEditable);
    if (tile.matches(":hover") && !isTyping) paste(event);
  };
  tile.addEventListener("click", () => { tile.focus(); input.click(); });
  tile.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      stop(event);
      input.click();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      stop(event);
      tell({ kind: "clear" });
    }
  });
  input.addEventListener("change", () => { take(input.files); input.value = ""; });
  tile.addEventListener("dragstart", (event) => {
    event.dataTransfer.setData(OWN, model.get("slot"));
    event.dataTransfer.effectAllowed = "move";
  });
  picture.draggable = false;

  const onFilled = () => { tile.draggable = Boolean(model.get("filled")); label(); };
  model.on("msg:custom", onMessage);
  model.on("change:filled change:title", onFilled);
  onFilled();
  window.addEventListener("keydown", keepKey, true);
  window.addEventListener("paste", pasteHere, true);
  // From here on the kernel knows that drops and pastes arrive, and sends the thumbnail, also after a reload.
  model.send({ kind: "ready" });

  return () => {
    gone = true;
    window.removeEventListener("keydown", keepKey, true);
    window.removeEventListener("paste", pasteHere, true);
    model.off("msg:custom", onMessage);
    model.off("change:filled change:title", onFilled);
    show(null);
  };
}

export default { render };
