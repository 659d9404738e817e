// Everything here is a convenience: without it the browser's own tooltips say the same, and tables keep their order.
"use strict";
(() => {
  const tip = document.body.appendChild(document.createElement("div"));
  tip.id = "tip";
  let near = null;

  // The styled tooltip replaces the browser's own, so the titles move out of its sight.
  for (const title of document.querySelectorAll(".mark > title")) {
    title.parentNode.dataset.tip = title.textContent;
    title.parentNode.setAttribute("aria-label", title.textContent);
    title.remove();
  }

  const hide = () => {
    tip.style.display = "none";
    near?.classList.remove("near");
    near = null;
  };

  const show = (mark, x, y) => {
    hide();
    near = mark;
    mark.classList.add("near");
    tip.textContent = mark.dataset.tip;
    tip.style.display = "block";
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - box.width - 4)) + "px";
    tip.style.top = (y - box.height - 14 > 0 ? y - box.height - 14 : y + 18) + "px";
  };

  // A finger or a pointer need not meet a small point exactly: the nearest one within reach answers.
  const markAt = (event, reach) => {
    let best = null;
    for (const shape of event.currentTarget.querySelectorAll(".mark > .dot, .mark > .cross")) {
      const box = shape.getBoundingClientRect();
      const away = Math.hypot(event.clientX - box.x - box.width / 2, event.clientY - box.y - box.height / 2);
      if (away <= reach) [best, reach] = [shape.parentNode, away];
    }
    return best ?? event.target.closest(".mark");
  };

  for (const chart of document.querySelectorAll(".chart")) {
    chart.addEventListener("pointermove", (event) => {
      const mark = markAt(event, 12);
      mark ? show(mark, event.clientX, event.clientY) : hide();
    });
    chart.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
    // By touch the first tap shows and only the second follows a link.
    let touched = null;
    chart.addEventListener("pointerdown", (event) => {
      const mark = event.pointerType === "touch" ? markAt(event, 24) : null;
      touched = mark && mark !== near ? mark : null;
      if (mark) show(mark, event.clientX, event.clientY);
    });
    chart.addEventListener("click", (event) => {
      if (touched) event.preventDefault();
      touched = null;
    });
    chart.addEventListener("focusin", (event) => {
      const mark = event.target.querySelector(".mark");
      const box = mark?.getBoundingClientRect();
      if (mark) show(mark, box.x + box.width / 2, box.y);
    });
    chart.addEventListener("focusout", hide);
  }
  addEventListener("pointerdown", (event) => event.target.closest(".chart") || hide());
  addEventListener("scroll", hide, { passive: true });
  addEventListener("keydown", (event) => event.key === "Escape" && hide());

  const value = (row, column) => {
    const cell = row.cells[column];
    return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent.trim();
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  const absent = (v) => v === "" || v === "–" || Number.isNaN(v);

  const sort = (table, header) => {
    const column = header.cellIndex;
    const sign = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows].map((row) => [value(row, column), row]);
    // What is absent stays last, whichever way round.
    rows.sort(([a], [b]) => absent(a) - absent(b) || sign * compare(a, b));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    for (const header of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = header.textContent;
      button.addEventListener("click", () => sort(table, header));
      header.replaceChildren(button);
    }
  }

  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
})();
