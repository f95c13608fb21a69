// data-sends-itself: a form that is sent when something in it is chosen; without script its button does it.
document.addEventListener("change", (event) => {
  event.target.closest("form[data-sends-itself]")?.requestSubmit();
});
