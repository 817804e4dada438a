"use strict";
// Only adds: exact values where a chart is pointed at or focused, tables that sort and filter, rows that
// unfold when they are linked to, and print with everything but the trials unfolded.

const tip = document.createElement("div");
tip.className = "tip";
tip.id = "tip";
tip.setAttribute("role", "tooltip");
tip.hidden = true;
document.body.append(tip);

function showTip(spot) {
  tip.textContent = spot.getAttribute("aria-label");
  tip.hidden = false;
  const place = spot.getBoundingClientRect();
  const own = tip.getBoundingClientRect();
  const left = place.left + place.width / 2 - own.width / 2;
  tip.style.left = `${Math.max(4, Math.min(left, innerWidth - own.width - 4))}px`;
  const above = place.top - own.height - 6;
  tip.style.top = `${above < 4 ? place.bottom + 6 : above}px`;
}

function hideTip() {
  tip.hidden = true;
}

// Of points that lie over each other the one whose middle is nearest, not the one that was drawn last.
function nearest(e) {
  const away = (spot) => {
    const place = spot.getBoundingClientRect();
    return Math.hypot(place.left + place.width / 2 - e.clientX, place.top + place.height / 2 - e.clientY);
  };
  const spots = document.elementsFromPoint(e.clientX, e.clientY).filter((at) => at.classList.contains("spot"));
  return spots.reduce((best, spot) => (best && away(best) <= away(spot) ? best : spot), null);
}

for (const figure of document.querySelectorAll("figure")) {
  // The page's own tip takes the place of the browser's, which is slow and not there for the keyboard.
  for (const title of figure.querySelectorAll(".spot > title")) title.remove();
  // Not on the drawing itself: browsers stop at a drawing that listens for focus.
  for (const event of ["pointerover", "pointermove"]) {
    figure.addEventListener(event, (e) => {
      const spot = nearest(e);
      if (spot) showTip(spot);
    });
  }
  for (const [event, act] of [["focusin", showTip], ["pointerout", hideTip], ["focusout", hideTip]]) {
    figure.addEventListener(event, (e) => {
      if (e.target.classList.contains("spot")) act(e.target);
    });
  }
}
addEventListener("keydown", (e) => {
  if (e.key === "Escape") hideTip();
});
// What has the focus scrolls into sight, and keeps its tip.
function follow() {
  const spot = document.activeElement;
  if (!tip.hidden && spot && spot.classList.contains("spot")) showTip(spot);
  else hideTip();
}
addEventListener("scroll", follow, { capture: true, passive: true });

function sortable(table) {
  const body = table.tBodies[0];
  const value = (row, index) => {
    const cell = row.cells[index];
    return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent.trim();
  };
  const order = (a, b, sign) => {
    const numbers = [typeof a === "number", typeof b === "number"];
    if (numbers[0] && numbers[1]) return sign * (a - b);
    // What is not known comes last, whichever way.
    if (numbers[0] !== numbers[1]) return numbers[0] ? -1 : 1;
    return sign * a.localeCompare(b, "en", { numeric: true });
  };
  [...table.tHead.rows[0].cells].forEach((head, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const direction = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", direction);
      const sign = direction === "ascending" ? 1 : -1;
      const rows = [...body.rows].sort((a, b) => order(value(a, index), value(b, index), sign));
      body.append(...rows);
    });
  });
}

function filterable(table) {
  const body = table.tBodies[0];
  const label = document.createElement("label");
  label.className = "filter";
  const input = document.createElement("input");
  input.type = "search";
  const count = document.createElement("span");
  count.className = "count";
  count.setAttribute("role", "status");
  label.append(`Show only ${table.dataset.of || "candidates"} with `, input, count);
  table.parentElement.before(label);
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    let shown = 0;
    for (const row of body.rows) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = wanted ? `${shown} of ${body.rows.length}` : "";
  });
}

for (const table of document.querySelectorAll("table.sortable")) {
  sortable(table);
  if (table.tBodies[0].rows.length > 5) filterable(table);
}

function unfold() {
  const target = document.getElementById(location.hash.slice(1));
  const details = target && target.closest("details");
  if (details && !details.open) {
    details.open = true;
    target.scrollIntoView();
  }
}
addEventListener("hashchange", unfold);
unfold();

addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details:not(.trials)")) details.open = true;
});
