// Copyright (c) aliops.cloudmonitor contributors
// SPDX-License-Identifier: GPL-3.0-or-later
// Sorts and filters the table of deployments. Everything can be read without it.
(function () {
  "use strict";
  var table = document.querySelector(".all");
  if (!table) { return; }
  var body = table.tBodies[0];
  var rows = Array.from(body.rows);
  var form = document.querySelector(".filter");
  var more = document.querySelector(".more");
  var status = form.querySelector("output");
  var compare = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;
  var step = innerWidth > 700 ? 200 : 50;
  var limit = step;
  var texts = rows.map(function (row) { return row.textContent.toLowerCase(); });
  var order = rows.map(function (_row, index) { return index; });

  function show() {
    var words = form.elements.words.value.toLowerCase().split(/\s+/);
    var state = form.elements.state.value;
    var found = 0;
    order.forEach(function (index) {
      var match = words.every(function (word) { return texts[index].includes(word); }) &&
        (!state || rows[index].cells[4].className === state);
      if (match) { found += 1; }
      rows[index].hidden = !match || found > limit;
    });
    status.textContent = Math.min(found, limit) + " of " + found + (found < rows.length ? " (" + rows.length + " in total)" : "");
    more.hidden = found <= limit;
  }

  function value(index, column) {
    var cell = rows[index].cells[column];
    return cell.dataset.v || cell.textContent;
  }

  function sort(column, heading) {
    var down = heading.getAttribute("aria-sort") !== "descending";
    if (column && !heading.hasAttribute("aria-sort")) { down = false; }
    Array.from(table.tHead.rows[0].cells).forEach(function (one) { one.removeAttribute("aria-sort"); });
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    order.sort(function (a, b) {
      var result = column ? compare(value(a, column), value(b, column)) : b - a;
      return (down ? -result : result) || a - b;
    });
    order.forEach(function (index) { body.appendChild(rows[index]); });
    show();
  }

  Array.from(table.tHead.rows[0].cells).forEach(function (heading, column) {
    var button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    heading.textContent = "";
    heading.appendChild(button);
    button.addEventListener("click", function () { sort(column, heading); });
  });
  table.tHead.rows[0].cells[0].setAttribute("aria-sort", "descending");
  form.hidden = false;
  form.addEventListener("input", function () { limit = step; show(); });
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  more.querySelector("button").addEventListener("click", function () { limit += step; show(); });
  function reveal() {
    var row = document.getElementById(location.hash.slice(1));
    if (row && row.hidden) { row.hidden = false; row.scrollIntoView(); }
  }
  addEventListener("hashchange", reveal);
  show();
  document.documentElement.className = "";
  reveal();
}());
