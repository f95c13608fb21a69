// data-confirm="question" on a form: a dialog asks before it is sent.
const dialog = document.getElementById("confirm");

document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    if (!dialog || !form.dataset.confirm || form.dataset.isConfirmed !== undefined) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    document.getElementById("confirm-words").textContent = form.dataset.confirm;
    dialog.addEventListener(
      "close",
      () => {
        if (dialog.returnValue !== "yes") return;
        form.dataset.isConfirmed = "";
        form.requestSubmit(event.submitter);
        delete form.dataset.isConfirmed;
      },
      { once: true },
    );
    dialog.returnValue = "no";
    dialog.showModal();
  },
  true,
);
