(function () {
  "use strict";
  var CONFIG = {
    displaylogo: false,
    plotlyServerURL: "",
    responsive: true,
    showEditInChartStudio: false,
    showLink: false,
    showSendToCloud: false,
    modeBarButtonsToRemove: ["lasso2d", "select2d"]
  };

  function told(plot, words) {
    var line = document.createElement("p");
    line.className = "missing";
    line.textContent = words;
    plot.replaceChildren(line);
  }

  function draw(block) {
    var plot = document.getElementById(block.id.replace(/-data$/, "-plot"));
    if (!window.Plotly) {
      told(plot, "This chart cannot be drawn: the file of the chart library is not beside the page.");
      return;
    }
    try {
      var figure = JSON.parse(block.textContent);
      delete figure.layout.width;
      window.Plotly.newPlot(plot, figure.data, figure.layout, CONFIG).then(function () {
        plot.dataset.drawn = "yes";
      });
    } catch (error) {
      told(plot, "This chart cannot be drawn: " + error.message);
    }
  }

  document.querySelectorAll('figure.chart > script[type="application/json"]').forEach(draw);

  // Tables that can be sifted: complete as they are; what searches, chooses and sorts comes with this script.
  var MANY = 40;
  var EMPTY = ".null, .badge.none";
  var alphabet = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  function plain(text) {
    return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replace(/\s+/g, " ").trim();
  }

  function words(cell) {
    var badge = cell.querySelector(".badge");
    var text = ((badge && badge.lastChild) || cell).textContent.trim();
    return text === "\u2013" ? "not stated" : text;
  }

  function key(cell, by) {
    if (cell.querySelector(EMPTY)) { return null; }
    var value = "value" in cell.dataset ? cell.dataset.value : words(cell);
    return by === "number" ? Number(value) : value;
  }

  function compared(a, b, by) {  // nothing comes last, whichever way
    if (a === null || b === null) { return { last: (a === null) - (b === null) }; }
    return { last: 0, order: by === "number" ? a - b : alphabet.compare(a, b) };
  }

  function made(name, parts, inside) {
    var element = Object.assign(document.createElement(name), parts);
    (inside || []).forEach(function (child) { element.append(child); });
    return element;
  }

  function sift(table) {
    var body = table.tBodies[0];
    var printed = Array.from(body.rows);
    var heads = Array.from(table.tHead.rows[0].cells);
    var texts = new Map(printed.map(function (row) {
      return [row, plain(Array.from(row.cells, function (cell) { return cell.textContent; }).join("\n"))];
    }));
    var search = made("input", { type: "search", autocomplete: "off", oninput: tell });
    var count = made("p", { className: "count", role: "status", ariaLive: "polite" });
    var choices = [];
    var sorting = { head: null, down: false };

    function tell() {
      var wanted = plain(search.value).split(" ").filter(Boolean);
      var shown = 0;
      printed.forEach(function (row) {
        var fits = wanted.every(function (word) { return texts.get(row).includes(word); }) &&
          choices.every(function (choice) { return choice.box.selectedIndex < 1 || choice.fits(row); });
        row.hidden = !fits;
        shown += fits;
      });
      var told = shown.toLocaleString("en") + " of " + printed.length.toLocaleString("en") + " rows";
      if (sorting.head) { told += ", by " + sorting.head.dataset.name + (sorting.down ? " descending" : " ascending"); }
      count.textContent = told + (shown < printed.length ? "; on paper all" : "");
    }

    function place(rows) {
      body.append.apply(body, rows);
      heads.forEach(function (head) { head.removeAttribute("aria-sort"); });
      if (sorting.head) { sorting.head.setAttribute("aria-sort", sorting.down ? "descending" : "ascending"); }
      tell();
    }

    function sort(head) {
      var again = sorting.head === head;
      if (again && sorting.down) {
        sorting = { head: null, down: false };
        return place(printed);
      }
      sorting = { head: head, down: again };
      var by = head.dataset.by;
      var keys = new Map(printed.map(function (row) { return [row, key(row.cells[head.cellIndex], by)]; }));
      return place(Array.from(body.rows).sort(function (a, b) {
        var found = compared(keys.get(a), keys.get(b), by);
        return found.last || (sorting.down ? -found.order : found.order);
      }));
    }

    function choose(head) {
      var by = head.dataset.by;
      var values = new Map();
      printed.forEach(function (row) {
        var cell = row.cells[head.cellIndex];
        var value = values.get(words(cell)) || { key: key(cell, by), rows: new Set() };
        values.set(words(cell), value);
        value.rows.add(row);
      });
      if (values.size < 2 || values.size > MANY) { return; }
      var names = Array.from(values.keys()).sort(function (a, b) {
        var found = compared(values.get(a).key, values.get(b).key, by);
        return found.last || found.order;
      });
      var box = made("select", { onchange: tell });
      box.append(made("option", { textContent: "all" }));
      names.forEach(function (name) {
        box.append(made("option", { textContent: name + " (" + values.get(name).rows.size + ")" }));
      });
      choices.push({
        box: box,
        label: made("label", {}, [head.dataset.name, box]),
        fits: function (row) { return values.get(names[box.selectedIndex - 1]).rows.has(row); }
      });
    }

    function reset() {
      search.value = "";
      choices.forEach(function (choice) { choice.box.selectedIndex = 0; });
      sorting = { head: null, down: false };
      place(printed);
    }

    heads.forEach(function (head) {
      if (!head.dataset.by) { return; }
      head.dataset.name = head.firstChild.textContent;
      if ("choice" in head.dataset) { choose(head); }
      var button = made("button", { type: "button", onclick: function () { sort(head); } });
      button.append.apply(button, head.childNodes);
      head.append(button);
    });
    var controls = [made("label", {}, ["Search", search])].concat(choices.map(function (choice) { return choice.label; }));
    var all = made("button", { type: "button", textContent: "Reset", onclick: reset });
    var group = made("div", { className: "sift", role: "group" }, controls.concat(all, count));
    group.setAttribute("aria-label", "Search and sort: " + table.caption.textContent);
    table.closest(".table").before(group);
    tell();
  }

  document.querySelectorAll("table.sifted").forEach(sift);

  // A table that is wider than paper would lose its last columns there: each of its rows is printed as a list.
  var PAPER = 703;  // A4 less its margins, in pixels

  function listed(table) {
    var labels = Array.from(table.tHead.rows[0].cells, function (head) { return head.textContent.trim(); });
    table.classList.add("listed");
    Array.from(table.rows).forEach(function (row) {
      Array.from(row.cells).forEach(function (cell, at) { cell.dataset.label = labels[at]; });
    });
  }

  var folded = [];
  window.addEventListener("beforeprint", function () {
    folded = Array.from(document.querySelectorAll("details.data:not([open])"));
    folded.forEach(function (details) { details.open = true; });
    document.body.classList.add("measured");
    var wide = Array.from(document.querySelectorAll(".table > table:not(.listed)")).filter(function (table) {
      return table.tHead && table.offsetWidth > PAPER;
    });
    document.body.classList.remove("measured");
    wide.forEach(listed);
    document.querySelectorAll('[data-drawn="yes"]').forEach(function (plot) { window.Plotly.Plots.resize(plot); });
  });
  window.addEventListener("afterprint", function () {
    folded.forEach(function (details) { details.open = false; });
  });
})();
