// Pressing a field of the payload asks where it belongs (#choose), and connects it as the form's own "Connect" would.
const dialog = document.getElementById("choose");
let path = "";

export function connect(source, target) {
  const form = document.getElementById("bench");
  form.querySelector("[data-add-path]").value = source;
  form.querySelector("[data-add-target]").value = target;
  form.querySelector("[data-add-attribute]").value = "";
  form.querySelector("[data-add]").click();
}

export function pathOf(button) {
  return button.value.slice("pick:".length);
}

document.addEventListener("click", (event) => {
  const leaf = event.target.closest("[data-tree] button");
  if (leaf) {
    event.preventDefault();
    path = pathOf(leaf);
    dialog.querySelector("[data-choose-path]").textContent = path;
    const search = dialog.querySelector("[data-choose-search]");
    search.value = "";
    find("");
    dialog.showModal();
    search.focus();
    return;
  }
  const choice = event.target.closest("[data-choose]");
  if (choice) choose(choice);
});

dialog.addEventListener("input", (event) => find(event.target.value));

dialog.addEventListener("keydown", (event) => {
  const shown = Array.from(dialog.querySelectorAll("[data-choose]")).filter((choice) => !choice.parentElement.hidden);
  const at = shown.indexOf(document.activeElement);
  if (event.key === "Enter" && event.target.matches("[data-choose-search]")) {
    event.preventDefault();
    if (shown.length) choose(shown[0]);
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const next = at + (event.key === "ArrowDown" ? 1 : -1);
    (shown[next] ?? dialog.querySelector("[data-choose-search]")).focus();
  }
});

// In the fields of "Connect by typing", Enter connects.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches?.("[data-add-path], [data-add-attribute]")) return;
  event.preventDefault();
  document.querySelector("[data-add]").click();
});

function find(text) {
  const wanted = text.trim().toLowerCase();
  for (const choice of dialog.querySelectorAll("[data-choose]")) {
    const name = `${choice.textContent} ${choice.dataset.choose}`.toLowerCase();
    choice.parentElement.hidden = !name.includes(wanted);
  }
}

function choose(choice) {
  dialog.close();
  connect(path, choice.dataset.choose);
}
