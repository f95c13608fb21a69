// The menu of narrow screens (data-menu), menus that close when somebody looks elsewhere, and data-dismiss.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-menu]");
  if (button) {
    const isOpen = document.body.toggleAttribute("data-menu-open");
    button.setAttribute("aria-expanded", String(isOpen));
  } else if (!event.target.closest(".rail") && document.body.hasAttribute("data-menu-open")) {
    close();
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  event.target.closest("[data-dismiss]")?.parentElement.remove();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  close();
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

function close() {
  document.body.removeAttribute("data-menu-open");
  document.querySelector("[data-menu]")?.setAttribute("aria-expanded", "false");
}
