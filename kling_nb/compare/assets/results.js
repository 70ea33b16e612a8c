// What raters said and what was measured: sentences, and tables that are words already.

function wordTable({ head, rows }) {
  const line = (cells, tag) => make("tr", {}, ...cells.map((cell, place) => make(place ? tag : "th", place ? {} : { scope: "row" }, cell)));
  return make("div", { class: "scroll" }, make("table", { class: "words" },
    make("thead", {}, make("tr", {}, ...head.map((cell) => make("th", { scope: "col" }, cell)))),
    make("tbody", {}, ...rows.map((cells) => line(cells, "td")))));
}

function summaryOf({ by, sentences, table, criteria }) {
  return make("div", { class: "results" },
    make("h3", {}, `By ${by}`),
    make("ul", {}, ...sentences.map((sentence) => make("li", {}, sentence))),
    wordTable(table),
    ...table.notes.map((note) => make("p", { class: "note" }, note)),
    ...criteria.map((each) => make("details", {}, make("summary", {}, `${each.name}: every two levels`),
      make("p", {}, each.question), ...each.tables.map(wordTable), ...each.notes.map((note) => make("p", { class: "note" }, note)))));
}

function drawResults(results) {
  const summaries = results.summaries ?? [];
  const section = find("#results");
  section.hidden = find("#to-results").hidden = !summaries.length;
  find("#answers").hidden = !results.answers;
  find(".summaries", section).replaceChildren(...summaries.map(summaryOf));
  find("#to-results").addEventListener("click", () => {
    section.scrollIntoView({ block: "start" });
    section.focus({ preventScroll: true });
  });
}
