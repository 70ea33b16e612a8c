// A button that tells the kernel what stood on the page when it was pressed.
//
// While the kernel is at work, a press may reach it before the last changes do: front ends send them on several ways,
// and hold back the changes of a field until the one before was answered. What is paid for is what was seen.

const SILENCE = 400;

function render({ model, el }) {
  const button = document.createElement("button");
  button.className = "kling-press jupyter-button widget-button";
  const news = document.createElement("span");
  news.className = "kling-press-news";
  news.setAttribute("role", "status");
  el.append(button, news);

  let waiting = null;

  const label = () => {
    button.textContent = model.get("label");
    button.title = model.get("title");
    button.disabled = model.get("disabled") || waiting !== null;
    button.className = `kling-press jupyter-button widget-button kling-generate mod-${model.get("kind")}`;
  };

  // anywidget's views do not follow the classes of their model.
  const classes = () => el.classList.toggle("kling-gone", model.get("_dom_classes").includes("kling-gone"));

  const settle = (text) => {
    clearTimeout(waiting);
    waiting = null;
    news.textContent = text;
    label();
  };

  const seen = () => Promise.all(
    model.get("inputs").map(async ([id, name]) => (await model.widget_manager.get_model(id)).get(name)),
  );

  const press = async () => {
    if (waiting !== null) return;
    waiting = setTimeout(() => { news.textContent = "The kernel is busy, and has not answered yet."; }, SILENCE);
    news.textContent = "";
    label();
    try {
      await model.send({ kind: "press", values: await seen() });
    } catch {
      settle("There is no kernel: nothing was sent. Start one, and run this cell again.");
    }
  };

  const onMessage = (message) => { if (message.kind === "taken") settle(""); };

  button.addEventListener("click", press);
  model.on("msg:custom", onMessage);
  model.on("change:label change:title change:disabled change:kind", label);
  model.on("change:_dom_classes", classes);
  label();
  classes();
  model.send({ kind: "ready" });
  return () => {
    clearTimeout(waiting);
    model.off("msg:custom", onMessage);
    model.off("change:label change:title change:disabled change:kind", label);
    model.off("change:_dom_classes", classes);
  };
}

export default { render };
