// What the tests ask of JupyterLab and Notebook 7, in the words of both.
window.harness = {
  // How the last run of a notebook's cells stands; a page shows one notebook.
  run: { ended: true },

  panel(path) {
    const shell = window.jupyterapp?.shell;
    return shell && [...shell.widgets("main")].find((one) => one.context?.path === path && one.sessionContext);
  },

  kernel(path) {
    return this.panel(path)?.sessionContext.session?.kernel;
  },

  isReady(path) {
    const panel = this.panel(path);
    const kernel = this.kernel(path);
    return Boolean(
      panel?.context.isReady && panel.sessionContext.isReady && panel.content.widgets.length === panel.content.model.cells.length &&
      kernel?.connectionStatus === "connected" && kernel.status === "idle"
    );
  },

  hasEnded(path) {
    const cells = [...this.panel(path).content.widgets];
    const running = cells.some((cell) => cell.model.type === "code" && cell.model.executionState === "running");
    return this.run.ended && !running && this.kernel(path)?.status === "idle";
  },

  start(path, command, index) {
    const panel = this.panel(path);
    window.jupyterapp.shell.activateById(panel.id);
    panel.content.mode = "command";
    if (index !== null) {
      panel.content.deselectAll();
      panel.content.activeCellIndex = index;
    }
    const run = (this.run = { ended: false });
    const end = () => { run.ended = true; };
    window.jupyterapp.commands.execute(command).then(end, end);
  },

  append(path, source) {
    const cells = this.panel(path).content.model.sharedModel;
    cells.insertCell(cells.cells.length, { cell_type: "code", source });
    return cells.cells.length - 1;
  },

  async restart(path) {
    await this.kernel(path).restart();
  },

  async save(path) {
    await this.panel(path).context.save();
  },
};
