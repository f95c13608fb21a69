// data-follows-filters: a link to something about the same search takes what the address now asks for.
document.addEventListener("htmx:pushedIntoHistory", () => {
  for (const link of document.querySelectorAll("[data-follows-filters]")) link.search = location.search;
});
