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

  var folded = [];
  window.addEventListener("beforeprint", function () {
    folded = Array.from(document.querySelectorAll("details.data:not([open])"));
    folded.forEach(function (details) { details.open = true; });
    document.querySelectorAll('[data-drawn="yes"]').forEach(function (plot) { window.Plotly.Plots.resize(plot); });
  });
  window.addEventListener("afterprint", function () {
    folded.forEach(function (details) { details.open = false; });
  });
})();
