// A button that puts a text into the clipboard.

function render({ model, el }) {
  const button = document.createElement("button");
  button.className = "kling-copy jupyter-button";
  const label = () => {
    button.textContent = model.get("label");
    button.setAttribute("aria-label", model.get("title"));
  };

  const copy = async () => {
    const text = model.get("text");
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without https, or where a page around this one forbids it, the old way may still work.
      const area = document.createElement("textarea");
      area.value = text;
      el.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      if (!done) {
        button.textContent = "Select it and press Ctrl+C";
        return;
      }
    }
    button.textContent = "Copied";
    setTimeout(label, 2000);
  };

  // anywidget's views do not follow the classes of their model.
  const classes = () => el.classList.toggle("kling-gone", model.get("_dom_classes").includes("kling-gone"));

  button.addEventListener("click", copy);
  model.on("change:label change:title", label);
  model.on("change:_dom_classes", classes);
  label();
  classes();
  el.append(button);
  model.set("alive", true);
  model.save_changes();
  return () => {
    model.off("change:label change:title", label);
    model.off("change:_dom_classes", classes);
  };
}

export default { render };
