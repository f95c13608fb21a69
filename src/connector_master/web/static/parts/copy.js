// data-copy="text": a click copies it and says so.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    // Without HTTPS there is no clipboard: select the text, so that Ctrl-C does it.
    const code = button.parentElement.querySelector("code");
    if (code) getSelection().selectAllChildren(code);
    return;
  }
  button.dataset.isCopied = "";
  const toasts = document.getElementById("toasts");
  toasts.textContent = button.dataset.copied;
  setTimeout(() => {
    delete button.dataset.isCopied;
    toasts.textContent = "";
  }, 1500);
});
