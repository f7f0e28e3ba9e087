"use strict";
// Everything can be read without this script: it only filters and copies.
(() => {
  const form = document.getElementById("filters");
  const status = document.getElementById("shown");
  const selects = [...form.querySelectorAll("select")];
  const search = form.querySelector("input");
  const causes = [...document.querySelectorAll("article")].map((article) => ({
    article,
    of: article.dataset,
    text: [...article.querySelectorAll(":scope > :not(table)")]
      .map((one) => one.textContent).join(" ").toLowerCase(),
    rows: [...article.querySelectorAll("tbody > tr")].map((row) => ({
      row, of: row.dataset, text: row.textContent.toLowerCase(),
    })),
  }));
  const total = causes.reduce((sum, cause) => sum + cause.rows.length, 0);

  function apply() {
    const chosen = selects.filter((one) => one.value !== "").map((one) => [one.name, one.value.slice(1)]);
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const cause of causes) {
      let any = false;
      for (const one of cause.rows) {
        const fits = chosen.every(([key, value]) => (one.of[key] ?? cause.of[key]) === value)
          && words.every((word) => one.text.includes(word) || cause.text.includes(word));
        one.row.hidden = !fits;
        any ||= fits;
        shown += fits;
      }
      cause.article.hidden = !any;
    }
    const numbers = new Intl.NumberFormat("en");
    status.textContent = `${numbers.format(shown)} of ${numbers.format(total)} findings shown.`;
  }

  if (total > 0) {
    form.hidden = false;
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    // The form's own values are reset only after the event.
    form.addEventListener("reset", () => setTimeout(apply));
    apply();
  }

  const copy = document.getElementById("copy");
  const hosts = document.getElementById("host-list");
  if (copy && hosts) {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      const range = document.createRange();
      range.selectNodeContents(hosts);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      try {
        await navigator.clipboard.writeText(hosts.textContent);
        copy.textContent = "Copied";
      } catch {
        copy.textContent = "Selected: copy it now";
      }
    });
  }

  // Browsers that do not print what is closed.
  addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details")) one.open = true;
  });
})();
