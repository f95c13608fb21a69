// The lines from the payload's fields to the lead's (data-lines), and drawing one by dragging a field to where it belongs.
import { connect, pathOf } from "./mapping-choose.js";

const SVG = "http://www.w3.org/2000/svg";
const FAR_ENOUGH = 6;
const EDGE = 60;
let isDue = false;
let drag = null;

function draw() {
  isDue = false;
  const board = document.querySelector("[data-lines]");
  const tree = document.querySelector("[data-tree]");
  if (!board || !tree) return;
  const around = board.getBoundingClientRect();
  const view = tree.getBoundingClientRect();
  const paths = [];
  if (around.width) {
    const targets = new Map(Array.from(document.querySelectorAll(".target"), (one) => [one.dataset.target, one]));
    const kind = document.querySelector("[data-line]") ? "line-kept" : "line-found";
    for (const leaf of tree.querySelectorAll("[data-feeds]")) {
      if (!leaf.checkVisibility()) continue;
      const from = leaf.getBoundingClientRect();
      const y = from.top + from.height / 2;
      if (y < view.top || y > view.bottom) continue;
      for (const name of JSON.parse(leaf.dataset.feeds)) {
        const target = targets.get(name)?.getBoundingClientRect();
        if (target) paths.push(curve(from.right, y, target.left, target.top + 22, around, kind));
      }
    }
    if (drag?.isMoving) paths.push(curve(drag.x, drag.y, drag.toX, drag.toY, around, "line-drawn"));
  }
  board.replaceChildren(...paths);
}

function curve(fromX, fromY, toX, toY, around, name) {
  const [x1, y1, x2, y2] = [fromX - around.left, fromY - around.top, toX - around.left, toY - around.top];
  const bend = Math.max(24, Math.abs(x2 - x1) / 2);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("class", name);
  path.setAttribute("d", `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`);
  return path;
}

function redraw() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(draw);
}

for (const name of ["scroll", "toggle"]) document.addEventListener(name, redraw, { capture: true, passive: true });
addEventListener("resize", redraw);
document.addEventListener("mapping:moved", redraw);
document.addEventListener("htmx:afterSettle", redraw);
redraw();

// ---- drawing a line -------------------------------------------------------------------------------------

document.addEventListener("pointerdown", (event) => {
  const leaf = event.target.closest("[data-tree] button");
  if (!leaf || event.button !== 0 || event.pointerType === "touch") return;
  const from = leaf.getBoundingClientRect();
  drag = { leaf, startX: event.clientX, startY: event.clientY, x: from.right, y: from.top + from.height / 2, isMoving: false };
});

document.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const [dx, dy] = [event.clientX - drag.startX, event.clientY - drag.startY];
  if (!drag.isMoving && Math.hypot(dx, dy) < FAR_ENOUGH) return;
  drag.isMoving = true;
  document.body.dataset.isDrawing = "";
  [drag.toX, drag.toY] = [event.clientX, event.clientY];
  aim(event);
  if (event.clientY < EDGE) scrollBy(0, -12);
  else if (event.clientY > innerHeight - EDGE) scrollBy(0, 12);
  const from = drag.leaf.getBoundingClientRect();
  [drag.x, drag.y] = [from.right, from.top + from.height / 2];
  redraw();
});

document.addEventListener("pointerup", (event) => {
  if (!drag?.isMoving) return void (drag = null);
  const [leaf, target] = [drag.leaf, aim(event)];
  end();
  if (target) connect(pathOf(leaf), target.dataset.target);
});

document.addEventListener("pointercancel", end);
document.addEventListener("keydown", (event) => {
  if (drag?.isMoving && event.key === "Escape") end();
});
document.addEventListener("selectstart", (event) => {
  if (drag) event.preventDefault();
});

function aim(event) {
  const target = document.elementFromPoint(event.clientX, event.clientY)?.closest(".target") ?? null;
  for (const one of document.querySelectorAll(".target[data-is-aimed-at]")) if (one !== target) delete one.dataset.isAimedAt;
  if (target) target.dataset.isAimedAt = "";
  return target;
}

function end() {
  drag = null;
  delete document.body.dataset.isDrawing;
  for (const one of document.querySelectorAll(".target[data-is-aimed-at]")) delete one.dataset.isAimedAt;
  redraw();
}
